package packet_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

var be = binary.BigEndian

// The functions of this file know the protocols by the RFCs' text only: they
// share no code with what they test.

// naiveSum is RFC 1071 word by word.
func naiveSum(b []byte, s uint32) uint32 {
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		s += w
		if s > 0xffff {
			s -= 0xffff
		}
	}
	return s
}

// naivePseudo is the sum of the pseudo-header of the IP packet ip with n bytes
// of L4.
func naivePseudo(ip []byte, proto uint8, n int) uint32 {
	var b []byte
	if ip[0]>>4 == 4 {
		b = append(b, ip[12:20]...)
		b = append(b, 0, proto, byte(n>>8), byte(n))
	} else {
		b = append(b, ip[8:40]...)
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n), 0, 0, 0, proto)
	}
	return naiveSum(b, 0)
}

// csumField is the offset of the checksum in an L4 header.
func csumField(proto uint8) int {
	switch proto {
	case ProtoTCP:
		return 16
	case ProtoUDP:
		return 6
	}
	return 2
}

// naiveField is the content a full or partial checksum field should have.
func naiveField(p *Packet) uint16 {
	l4 := bytes.Clone(p.Buf[p.L4:p.End])
	at := csumField(p.T.Proto)
	s := uint32(0)
	if p.T.Proto != ProtoICMP {
		s = naivePseudo(p.IP(), p.T.Proto, len(l4))
	}
	if p.Csum == CsumPartial {
		return uint16(s)
	}
	l4[at], l4[at+1] = 0, 0
	c := ^uint16(naiveSum(l4, s))
	if c == 0 && p.T.Proto == ProtoUDP {
		c = 0xffff
	}
	return c
}

// sound checks that the fields of p say what its bytes say and that every
// length and checksum is right.
func sound(t *testing.T, p *Packet) {
	t.Helper()
	var q Packet
	b := bytes.Clone(p.IP())
	q.Reset(b, 0, len(b), p.If)
	if err := q.Parse(); err != nil {
		t.Fatalf("parse again: %v\n%x", err, b)
	}
	if q.Len() != p.Len() || q.L4 != p.L4-p.Off || q.Data != p.Data-p.Off {
		t.Fatalf("len, L4, Data: got %d %d %d, want %d %d %d", p.Len(), p.L4-p.Off, p.Data-p.Off, q.Len(), q.L4, q.Data)
	}
	if q.T != p.T || q.Kind != p.Kind || q.TCPFlags != p.TCPFlags {
		t.Fatalf("got %v kind %d flags %x, want %v %d %x", p.T, p.Kind, p.TCPFlags, q.T, q.Kind, q.TCPFlags)
	}
	if p.Kind == KindOther || p.Kind == KindFragment {
		return
	}
	got, want := be.Uint16(p.Buf[p.L4+csumField(p.T.Proto):]), naiveField(p)
	if got != want {
		t.Fatalf("checksum field (state %d, %v): got %04x, want %04x", p.Csum, p.T, got, want)
	}
}

// rng returns a generator that is the same in every run.
func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// randomTuple makes a tuple of unicast addresses.
func randomTuple(r *rand.Rand, family, proto uint8) Tuple {
	t := Tuple{Proto: proto, Family: family, SrcPort: uint16(r.Uint32()), DstPort: uint16(r.Uint32())}
	n := 16
	if family == 4 {
		n = 4
	}
	for i := range n {
		t.Src[i], t.Dst[i] = byte(r.Uint32()), byte(r.Uint32())
	}
	t.Src[0], t.Dst[0] = 10, 32
	if proto == ProtoICMP || proto == ProtoICMPv6 {
		t.DstPort = t.SrcPort
	}
	return t
}

// echoProto is the ICMP of a family.
func echoProto(family uint8) uint8 {
	if family == 6 {
		return ProtoICMPv6
	}
	return ProtoICMP
}

// headroom and tailroom of test packets.
const room = 128

// newBuf makes a packet without content whose buffer has room around headers
// and n bytes of data.
func newBuf(n int) *Packet {
	const headers = IPv6Size + TCPSize
	return &Packet{Buf: make([]byte, room+headers+n+room), Off: room, If: 7}
}

// randomPacket builds a packet with n bytes of data and a random checksum
// state; TCP gets random fields and options.
func randomPacket(r *rand.Rand, tu Tuple, n int) *Packet {
	opt := 0
	if tu.Proto == ProtoTCP {
		opt = 4 * r.IntN(11)
	}
	p := newBuf(opt + n)
	b := Build(p, tu, uint8(2+r.IntN(250)), uint8(r.Uint32()), opt+n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	h := p.Buf[p.L4:]
	switch tu.Proto {
	case ProtoTCP:
		for i := 4; i < 20; i++ {
			h[i] = byte(r.Uint32())
		}
		h[12] = byte(20+opt) / 4 << 4
		for i := range opt {
			h[20+i] = 1
		}
	case ProtoICMP, ProtoICMPv6:
		be.PutUint16(h[6:], uint16(r.Uint32()))
	}
	p.Finish()
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Csum = CsumPartial
	if p.Kind == KindEcho {
		p.Csum = CsumUnknown
	}
	if r.IntN(2) == 0 {
		p.CompleteCsum()
		p.Csum = Csum(r.IntN(2))
	}
	return p
}

// everyPacket calls f with many random packets of every family and protocol.
func everyPacket(t *testing.T, f func(t *testing.T, r *rand.Rand, p *Packet)) {
	t.Helper()
	r := rng()
	for i := range 3000 {
		family := uint8(4 + 2*(i&1))
		proto := []uint8{ProtoTCP, ProtoUDP, echoProto(family)}[i%3]
		n := r.IntN(100)
		if i%7 == 0 {
			n = r.IntN(1400)
		}
		p := randomPacket(r, randomTuple(r, family, proto), n)
		sound(t, p)
		f(t, r, p)
	}
}

// clone copies a packet with its buffer.
func clone(p *Packet) *Packet {
	q := *p
	q.Buf = bytes.Clone(p.Buf)
	return &q
}

// full returns the packet's bytes with a full checksum.
func full(p *Packet) []byte {
	q := clone(p)
	q.CompleteCsum()
	return q.IP()
}
