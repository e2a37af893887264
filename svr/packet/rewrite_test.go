package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

func TestRewrite(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		to := randomTuple(r, p.T.Family, p.T.Proto)
		data, csum, ttl, tos := bytes.Clone(p.Payload()), p.Csum, p.TTL(), p.TOS()
		if !p.Rewrite(to) {
			t.Fatal("refused")
		}
		sound(t, p)
		if p.T != to || p.Csum != csum || p.TTL() != ttl || p.TOS() != tos || !bytes.Equal(p.Payload(), data) {
			t.Fatal("changed more than it should")
		}
	})
}

func TestRewriteKeepsDamage(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		p.CompleteCsum()
		p.Csum = CsumUnknown
		p.Buf[p.L4+csumField(p.T.Proto)] ^= 0x40
		if p.VerifyL4() {
			t.Fatal("damage not seen")
		}
		p.Rewrite(randomTuple(r, p.T.Family, p.T.Proto))
		if p.VerifyL4() {
			t.Fatal("damage healed by a rewrite")
		}
	})
}

func TestRewriteThereAndBack(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		before, tuple := bytes.Clone(p.IP()), p.T
		p.Rewrite(randomTuple(r, p.T.Family, p.T.Proto))
		p.Rewrite(tuple)
		if !bytes.Equal(p.IP(), before) {
			t.Fatalf("got\n%x, want\n%x", p.IP(), before)
		}
	})
}

func TestRewriteUDPZero(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		p := randomPacket(r, randomTuple(r, family, ProtoUDP), 20)
		be.PutUint16(p.Buf[p.L4+6:], 0)
		p.Csum = CsumUnknown
		if !p.VerifyL4() {
			t.Fatal("UDP without checksum refused")
		}
		p.Rewrite(randomTuple(r, family, ProtoUDP))
		if got := be.Uint16(p.Buf[p.L4+6:]); got != 0 {
			t.Errorf("family %d: checksum 0 became %04x", family, got)
		}
	}
}

// A UDP checksum that comes out as 0 is sent as 0xffff, by delta and computed.
func TestUDPZeroIsAllOnes(t *testing.T) {
	p := newBuf(2)
	tu := Tuple{Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 0, 0, 2}, SrcPort: 5, DstPort: 6, Proto: ProtoUDP, Family: 4}
	data := Build(p, tu, 64, 0, 2)
	be.PutUint16(data, 0)
	p.FinishFull()
	be.PutUint16(data, be.Uint16(p.Buf[p.L4+6:])) // makes the sum all ones
	p.FinishFull()
	if got := be.Uint16(p.Buf[p.L4+6:]); got != 0xffff {
		t.Fatalf("computed: got %04x, want ffff", got)
	}
	sound(t, p)
	other := tu
	other.SrcPort = 77
	p.Rewrite(other)
	sound(t, p)
	p.Rewrite(tu)
	sound(t, p)
	if got := be.Uint16(p.Buf[p.L4+6:]); got != 0xffff {
		t.Fatalf("by delta: got %04x, want ffff", got)
	}
	p.Csum = CsumUnknown
	if !p.VerifyL4() {
		t.Error("ffff not verified")
	}
}

func TestRewriteRefuses(t *testing.T) {
	r := rng()
	tcp := func() *Packet { return randomPacket(r, randomTuple(r, 4, ProtoTCP), 5) }
	echo := func() *Packet { return randomPacket(r, randomTuple(r, 4, ProtoICMP), 5) }
	uneven := randomTuple(r, 4, ProtoICMP)
	uneven.DstPort++
	fragment := tcp()
	fragment.Buf[fragment.Off+6] |= 0x20
	reseal(fragment)
	for _, c := range []struct {
		name string
		p    *Packet
		to   Tuple
	}{
		{"other family", tcp(), randomTuple(r, 6, ProtoTCP)},
		{"other protocol", tcp(), randomTuple(r, 4, ProtoUDP)},
		{"echo with two identifiers", echo(), uneven},
		{"fragment", fragment, randomTuple(r, 4, ProtoTCP)},
	} {
		before := bytes.Clone(c.p.Buf)
		if c.p.Rewrite(c.to) || !bytes.Equal(before, c.p.Buf) {
			t.Errorf("%s: rewritten", c.name)
		}
	}
}

// reseal computes the IPv4 header checksum and parses again.
func reseal(p *Packet) {
	h := p.Buf[p.Off:p.L4]
	if h[0]>>4 == 4 {
		h[10], h[11] = 0, 0
		be.PutUint16(h[10:], ^uint16(naiveSum(h, 0)))
	}
	csum := p.Csum
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Csum = csum
}

func TestSetEchoID(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		p := randomPacket(r, randomTuple(r, family, echoProto(family)), 33)
		p.SetEchoID(0xbeef)
		if p.T.SrcPort != 0xbeef || p.T.DstPort != 0xbeef {
			t.Errorf("tuple has %04x", p.T.SrcPort)
		}
		sound(t, p)
	}
	p := randomPacket(r, randomTuple(r, 4, ProtoTCP), 33)
	before := bytes.Clone(p.IP())
	if p.SetEchoID(5); !bytes.Equal(before, p.IP()) {
		t.Error("changed a TCP packet")
	}
}

func TestVerifyAndComplete(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		if !p.VerifyL4() {
			t.Fatal("good checksum refused")
		}
		p.CompleteCsum()
		sound(t, p)
		if p.Csum != CsumValid {
			t.Fatalf("state %d after CompleteCsum", p.Csum)
		}
		p.Csum = CsumUnknown
		if !p.VerifyL4() || p.Csum != CsumValid {
			t.Fatal("completed checksum refused")
		}
		p.Csum = CsumUnknown
		if p.Len() > p.Data-p.Off {
			p.Buf[p.End-1]++
			if p.VerifyL4() {
				t.Fatal("damage not seen")
			}
		}
	})
}

func TestCompleteLeavesSuperPackets(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 4, ProtoTCP), 3000)
	p.Finish()
	p.GSO, p.GSOSize = GSOTCP4, 1000
	p.CompleteCsum()
	if p.Csum != CsumPartial {
		t.Error("completed")
	}
	sound(t, p)
}

func TestChecksumLengths(t *testing.T) {
	r := rng()
	b := make([]byte, 300)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for n := range b {
		if got, want := Checksum(b[:n]), ^uint16(naiveSum(b[:n], 0)); got != want {
			t.Fatalf("%d bytes: got %04x, want %04x", n, got, want)
		}
	}
	ones := bytes.Repeat([]byte{0xff}, 65535)
	if got, want := Checksum(ones), ^uint16(naiveSum(ones, 0)); got != want {
		t.Errorf("all ones: got %04x, want %04x", got, want)
	}
}
