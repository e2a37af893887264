package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

func TestReaddress(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		if p.Kind == KindEcho {
			return
		}
		before, from := full(p), p.T
		csum, ttl, tos, l4, end := p.Csum, p.TTL(), p.TOS(), p.L4, p.End
		to := randomTuple(r, 10-p.T.Family, p.T.Proto)
		if !p.Readdress(to) {
			t.Fatal("refused")
		}
		sound(t, p)
		if p.T != to || p.Csum != csum || p.TTL() != ttl || p.TOS() != tos {
			t.Fatal("changed more than it should")
		}
		if p.L4 != l4 || p.End != end {
			t.Fatal("L4 moved")
		}
		if !p.DF() || p.V6() && be.Uint32(p.IP())&0xfffff != 0 {
			t.Fatal("no DF, or a flow label")
		}
		p.Readdress(from)
		sound(t, p)
		if !bytes.Equal(full(p), before) {
			t.Fatalf("not back: got\n%x, want\n%x", full(p), before)
		}
	})
}

func TestReaddressSameFamily(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		q, to := clone(p), randomTuple(r, p.T.Family, p.T.Proto)
		if !p.Readdress(to) || !q.Rewrite(to) || !bytes.Equal(p.Buf, q.Buf) {
			t.Fatal("is not Rewrite")
		}
	})
}

func TestReaddressComputesUDPZero(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		p := randomPacket(r, randomTuple(r, family, ProtoUDP), 21)
		p.Csum = CsumUnknown
		be.PutUint16(p.Buf[p.L4+6:], 0)
		if !p.Readdress(randomTuple(r, 10-family, ProtoUDP)) {
			t.Fatal("refused")
		}
		if p.Csum != CsumValid {
			t.Errorf("state %d", p.Csum)
		}
		sound(t, p)
	}
}

func TestReaddressSuperPacket(t *testing.T) {
	r := rng()
	for _, c := range []struct {
		from, proto uint8
		gso, want   GSO
	}{
		{4, ProtoTCP, GSOTCP4, GSOTCP6},
		{6, ProtoTCP, GSOTCP6, GSOTCP4},
		{4, ProtoUDP, GSOUDP, GSOUDP},
		{6, ProtoUDP, GSOUDP, GSOUDP},
	} {
		p := randomPacket(r, randomTuple(r, c.from, c.proto), 9000)
		p.GSO, p.GSOSize = c.gso, 1000
		p.Finish()
		if !p.Readdress(randomTuple(r, 10-c.from, c.proto)) || p.GSO != c.want || p.GSOSize != 1000 {
			t.Errorf("from %d: GSO %d, want %d", c.from, p.GSO, c.want)
		}
		sound(t, p)
	}
}

func TestReaddressRefuses(t *testing.T) {
	r := rng()
	tight := randomPacket(r, randomTuple(r, 4, ProtoTCP), 10)
	tight.Reset(tight.Buf[tight.Off-19:], 19, tight.End-tight.Off+19, 0)
	parse := func(p *Packet) *Packet {
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	odd := randomTuple(r, 6, ProtoTCP)
	odd.Family = 5
	for _, c := range []struct {
		name string
		p    *Packet
		to   Tuple
	}{
		{"no headroom", parse(tight), randomTuple(r, 6, ProtoTCP)},
		{"no family", parse(view(ip4(6, "", tcp20))), odd},
		{"options", parse(view(ip4(6, "94040000", tcp20))), randomTuple(r, 6, ProtoTCP)},
		{"extension", parse(view(ip6(60, "0600 0104 00000000"+tcp20))), randomTuple(r, 4, ProtoTCP)},
		{"echo", randomPacket(r, randomTuple(r, 4, ProtoICMP), 9), randomTuple(r, 6, ProtoICMP)},
		{"protocol", parse(view(ip4(6, "", tcp20))), randomTuple(r, 6, ProtoUDP)},
		{"fragment", parse(view(ip6(44, "0600 0001 00000001"+tcp20))), randomTuple(r, 4, ProtoTCP)},
	} {
		before := bytes.Clone(c.p.Buf)
		if c.p.Readdress(c.to) || !bytes.Equal(before, c.p.Buf) {
			t.Errorf("%s: readdressed", c.name)
		}
	}
	tight.Reset(append(make([]byte, 20), tight.IP()...), 20, tight.Len()+20, 0)
	if !parse(tight).Readdress(randomTuple(r, 6, ProtoTCP)) {
		t.Error("20 bytes of headroom do not suffice")
	}
}
