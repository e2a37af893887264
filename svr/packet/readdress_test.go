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

func TestReaddressTooLong(t *testing.T) {
	p := superPacket(rng(), 6, ProtoUDP, MaxLen-UDPSize, 1000)
	before := p.T
	if p.Readdress(randomTuple(rng(), 4, ProtoUDP)) || p.T != before {
		t.Error("an IPv4 packet of 65555 bytes")
	}
	p.Trim(20)
	p.Finish()
	if !p.Readdress(randomTuple(rng(), 4, ProtoUDP)) || p.Len() != MaxLen {
		t.Error("the longest IPv4 packet refused")
	}
	sound(t, p)
}

func TestDropExtensions(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		ok   bool
		len  int
	}{
		{"v4 plain", ip4(6, "", tcp20+"aa"), true, 41},
		{"v4 router alert", ip4(6, "94040000", tcp20+"aa"), true, 41},
		{"v4 timestamps", ip4(6, "01 4408050000000000 000000", tcp20+"aa"), true, 41},
		{"v4 loose route", ip4(6, "01 830704 0a000001", tcp20), false, 48},
		{"v4 strict route", ip4(6, "890704 0a000001 00", tcp20), false, 48},
		{"v4 malformed", ip4(6, "94090000", tcp20), false, 44},
		{"v4 gre", ip4(47, "94040000", "0000"), false, 26},
		{"v6 plain", ip6(6, tcp20), true, 60},
		{"v6 hop-by-hop", ip6(0, "3c00 0104 00000000 0600 0104 00000000"+tcp20), true, 60},
		{"v6 atomic fragment", ip6(44, "1100 0000 00000001"+udp8), true, 48},
		{"v6 routing live", ip6(43, "0600 0001 00000000"+tcp20), false, 68},
		{"v6 fragment", ip6(44, "1100 0001 00000001"+udp8), false, 56},
	} {
		p := view(c.b)
		if err := p.Parse(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		p.FinishFull()
		tuple, data := p.T, bytes.Clone(p.Payload())
		if got := p.DropExtensions(); got != c.ok || p.Len() != c.len {
			t.Errorf("%s: %v, length %d", c.name, got, p.Len())
			continue
		}
		sound(t, p)
		if p.T != tuple || !bytes.Equal(p.Payload(), data) {
			t.Errorf("%s: changed %v", c.name, p.T)
		}
		if c.ok && !p.Readdress(randomTuple(rng(), 10-p.T.Family, p.T.Proto)) {
			t.Errorf("%s: not readdressed", c.name)
		}
		sound(t, p)
	}
}
