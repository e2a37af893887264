package pool

import (
	"encoding/binary"
	"testing"

	"waymark/svr/packet"
)

// sumBytes is the plain internet checksum sum in memory byte order.
func sumBytes(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.NativeEndian.Uint16(b))
	}
	return s
}

// checksum computes a full L4 checksum of a made-up packet with tuple t.
func checksum(t *packet.Tuple) uint16 {
	body := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	s := sumBytes(0, body)
	n := addrLen(t)
	var ports [4]byte
	binary.BigEndian.PutUint16(ports[0:], t.SrcPort)
	binary.BigEndian.PutUint16(ports[2:], t.DstPort)
	switch t.Proto {
	case packet.ProtoICMP:
		s = sumBytes(s, ports[:2])
	case packet.ProtoICMPv6:
		s = sumBytes(sumBytes(sumBytes(s, ports[:2]), t.Src[:n]), t.Dst[:n])
	default:
		s = sumBytes(sumBytes(sumBytes(s, ports[:]), t.Src[:n]), t.Dst[:n])
	}
	return ^fold(s)
}

func TestDeltas(t *testing.T) {
	rnd := newRand(1)
	for i := range 4000 {
		k, a := randomRewrite(rnd.Uint32, i)
		addr, l4 := deltas(&k, &a)
		if got, want := ^fold(uint32(^checksum(&k.Tuple))+uint32(l4)), checksum(&a.To); got != want {
			t.Fatalf("l4 delta %+v > %+v: got %#x, want %#x", k, a.To, got, want)
		}
		n, m := addrLen(&k.Tuple), addrLen(&a.To)
		old := fold(sumBytes(sumBytes(20, k.Src[:n]), k.Dst[:n]))
		want := fold(sumBytes(sumBytes(20, a.To.Src[:m]), a.To.Dst[:m]))
		if got := fold(uint32(old) + uint32(addr)); got != want {
			t.Fatalf("address delta %+v > %+v: got %#x, want %#x", k, a.To, got, want)
		}
	}
}

// randomRewrite makes a rewrite that keeps the protocol; families vary.
func randomRewrite(r func() uint32, i int) (k Key, a Action) {
	k.Proto = []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP, packet.ProtoICMPv6}[i%4]
	k.Family, a.To.Family = 4, 4
	if k.Proto == packet.ProtoICMPv6 || k.Proto != packet.ProtoICMP && i/4%2 == 1 {
		k.Family = 6
	}
	if k.Proto == packet.ProtoICMPv6 || k.Proto != packet.ProtoICMP && i/8%2 == 1 {
		a.To.Family = 6
	}
	for _, t := range []*packet.Tuple{&k.Tuple, &a.To} {
		for j := range addrLen(t) {
			t.Src[j], t.Dst[j] = byte(r()), byte(r())
		}
		t.Proto, t.SrcPort, t.DstPort = k.Proto, uint16(r()), uint16(r())
	}
	return k, a
}

func TestDeltaOfAnotherProtocol(t *testing.T) {
	k := key4(1)
	a := action(k, 1, false)
	a.To.Proto = packet.ProtoUDP
	if _, l4 := deltas(&k, &a); l4 != 0 {
		t.Errorf("got %#x, want 0", l4)
	}
}
