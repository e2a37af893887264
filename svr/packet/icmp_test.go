package packet_test

import (
	"bytes"
	"testing"

	. "waymark/svr/packet"
)

// router is an address of ours.
func router(family uint8) (a [16]byte) {
	if family == 4 {
		return [16]byte{192, 0, 2, 1}
	}
	return [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}
}

func TestBuildICMPError(t *testing.T) {
	r := rng()
	type head struct {
		typ, code byte
		rest      uint32
	}
	for _, c := range []struct {
		kind   ErrKind
		v4, v6 head
	}{
		{ErrTTL, head{11, 0, 0}, head{3, 0, 0}},
		{ErrTooBig, head{3, 4, 1380}, head{2, 0, 1380}},
		{ErrNoRoute, head{3, 0, 0}, head{1, 0, 0}},
		{ErrAdminProhibited, head{3, 13, 0}, head{1, 1, 0}},
		{ErrPortUnreachable, head{3, 3, 0}, head{1, 4, 0}},
		{ErrHostUnreachable, head{3, 1, 0}, head{1, 3, 0}},
		{ErrReassembly, head{11, 1, 0}, head{3, 1, 0}},
	} {
		for _, family := range []uint8{4, 6} {
			about := randomPacket(r, randomTuple(r, family, ProtoUDP), r.IntN(2000))
			dst := newBuf(1500)
			if !BuildICMPError(dst, about, c.kind, 1380, router(family)) {
				t.Fatal("refused")
			}
			sound(t, dst)
			want, limit := c.v4, 576
			if family == 6 {
				want, limit = c.v6, 1280
			}
			h := dst.Buf[dst.L4:dst.Data]
			if got := (head{h[0], h[1], be.Uint32(h[4:])}); got != want {
				t.Errorf("%d v%d: got %v, want %v", c.kind, family, got, want)
			}
			quote := about.IP()
			quote = quote[:min(len(quote), limit-(dst.Data-dst.Off))]
			if !bytes.Equal(dst.Payload(), quote) || dst.Kind != KindICMPError || dst.T.Src != router(family) || dst.T.Dst != about.T.Src {
				t.Errorf("%d v%d: %v, %d bytes quoted", c.kind, family, dst.T, len(dst.Payload()))
			}
			if q, ok := dst.Quote(); !ok || q.T != about.T || q.Length != about.Len() {
				t.Errorf("%d v%d: quote %v %v", c.kind, family, ok, q)
			}
		}
	}
}

func TestBuildICMPErrorRefuses(t *testing.T) {
	r := rng()
	with := func(family uint8, f func(tu *Tuple)) *Packet {
		tu := randomTuple(r, family, ProtoUDP)
		f(&tu)
		return randomPacket(r, tu, 20)
	}
	parse := func(b []byte) *Packet {
		p := view(b)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, p := range map[string]*Packet{
		"from nobody":        with(4, func(tu *Tuple) { tu.Src = [16]byte{} }),
		"from loopback":      with(4, func(tu *Tuple) { tu.Src[0] = 127 }),
		"from a group":       with(4, func(tu *Tuple) { tu.Src[0] = 224 }),
		"to a group":         with(4, func(tu *Tuple) { tu.Dst[0] = 239 }),
		"broadcast":          with(4, func(tu *Tuple) { tu.Dst = [16]byte{255, 255, 255, 255} }),
		"v6 from nobody":     with(6, func(tu *Tuple) { tu.Src = [16]byte{} }),
		"v6 from loopback":   with(6, func(tu *Tuple) { tu.Src = [16]byte{15: 1} }),
		"v6 to a group":      with(6, func(tu *Tuple) { tu.Dst[0] = 0xff }),
		"v6 from a group":    with(6, func(tu *Tuple) { tu.Src[0] = 0xff }),
		"unreachable":        parse(ip4(1, "", "03010000 00000000")),
		"redirect":           parse(ip4(1, "", "05010000 00000000")),
		"v6 too big":         parse(ip6(58, "02000000 00000500")),
		"v6 unknown error":   parse(ip6(58, "64000000 00000500")),
		"v6 redirect":        parse(ip6(58, "89000000 00000500")),
		"later fragment":     parse(ip6(44, "1100 0010 00000001 aabb")),
		"fragment of error":  parse(ip6(44, "3a00 0001 00000001 0100000000000000")),
		"fragment, no bytes": parse(ip6(44, "3a00 0001 00000001")),
	} {
		if BuildICMPError(newBuf(1500), p, ErrTTL, 0, router(p.T.Family)) {
			t.Errorf("%s: answered", name)
		}
	}
	good := with(4, func(*Tuple) {})
	if BuildICMPError(&Packet{Buf: make([]byte, 60)}, good, ErrTTL, 0, router(4)) {
		t.Error("wrote to a small buffer")
	}
	if BuildICMPError(newBuf(1500), good, 99, 0, router(4)) {
		t.Error("built an unknown error")
	}
	for name, p := range map[string]*Packet{
		"echo":           parse(ip4(1, "", "08000000 12340001")),
		"timestamp":      parse(ip4(1, "", "0d000000 12340001")),
		"gre":            parse(ip4(47, "", "00000800")),
		"first fragment": parse(ip6(44, "1100 0001 00000001"+udp8)),
	} {
		if !BuildICMPError(newBuf(1500), p, ErrTTL, 0, router(p.T.Family)) {
			t.Errorf("%s: not answered", name)
		}
	}
}

func TestTooBigBounds(t *testing.T) {
	r := rng()
	for _, c := range []struct {
		family uint8
		mtu    int
		want   uint32
	}{{4, 70000, 65535}, {4, -1, 0}, {6, 70000, 70000}, {6, -1, 0}} {
		p, dst := randomPacket(r, randomTuple(r, c.family, ProtoUDP), 20), newBuf(1500)
		BuildICMPError(dst, p, ErrTooBig, c.mtu, router(c.family))
		if got := be.Uint32(dst.Buf[dst.L4+4:]); got != c.want {
			t.Errorf("v%d %d: got %d, want %d", c.family, c.mtu, got, c.want)
		}
	}
}

func TestBuild(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		for _, proto := range []uint8{ProtoTCP, ProtoUDP, echoProto(family)} {
			tu, p := randomTuple(r, family, proto), newBuf(100)
			b := Build(p, tu, 61, 0xb8, 100)
			if len(b) != 100 || cap(b) != 100 {
				t.Fatalf("%d bytes", len(b))
			}
			copy(b, randomBytes(r, 100))
			p.Finish()
			sound(t, p)
			if p.T != tu || p.TTL() != 61 || p.TOS() != 0xb8 || !p.DF() || p.If != 7 || p.Off != room {
				t.Errorf("got %+v", p)
			}
		}
		if Build(newBuf(100), randomTuple(r, family, 47), 64, 0, 1) != nil {
			t.Error("built another protocol")
		}
		wrong := randomTuple(r, family, echoProto(10-family))
		if Build(newBuf(100), wrong, 64, 0, 1) != nil {
			t.Error("built ICMP of the other family")
		}
	}
	tu := randomTuple(r, 4, ProtoUDP)
	for _, n := range []int{-1, 73, MaxLen} {
		if Build(&Packet{Buf: make([]byte, 100)}, tu, 64, 0, n) != nil {
			t.Errorf("%d bytes in a buffer of 100", n)
		}
	}
	if Build(&Packet{Buf: make([]byte, 70000)}, tu, 64, 0, 65508) != nil {
		t.Error("longer than IPv4 can say")
	}
	tu.Family = 0
	if Build(newBuf(100), tu, 64, 0, 1) != nil {
		t.Error("built without a family")
	}
	if BuildTCP(newBuf(100), randomTuple(r, 4, ProtoUDP), 64, 0, 1, 2, 3, 4, 5) != nil {
		t.Error("built TCP as UDP")
	}
	if BuildTCP(&Packet{}, randomTuple(r, 4, ProtoTCP), 64, 0, 1, 2, 3, 4, 5) != nil {
		t.Error("built TCP nowhere")
	}
}

func TestBuildReset(t *testing.T) {
	r := rng()
	for _, c := range []struct {
		name     string
		flags    uint8
		n        int
		ok       bool
		seq, ack uint32
		want     uint8
	}{
		{"syn", FlagSYN, 0, true, 0, 1001, FlagRST | FlagACK},
		{"syn with data", FlagSYN, 10, true, 0, 1011, FlagRST | FlagACK},
		{"fin", FlagFIN, 10, true, 0, 1011, FlagRST | FlagACK},
		{"data", FlagACK, 10, true, 5000, 0, FlagRST},
		{"reset", FlagRST, 0, false, 0, 0, 0},
		{"reset ack", FlagRST | FlagACK, 0, false, 0, 0, 0},
	} {
		for _, family := range []uint8{4, 6} {
			about, dst := newBuf(10), newBuf(10)
			tu := randomTuple(r, family, ProtoTCP)
			BuildTCP(about, tu, 64, 0, 1000, 5000, c.flags, 9, c.n)
			about.Finish()
			if BuildReset(dst, about) != c.ok {
				t.Fatalf("%s: not %v", c.name, c.ok)
			}
			if !c.ok {
				continue
			}
			sound(t, dst)
			if dst.T != tu.Reverse() || dst.Seq() != c.seq || dst.Ack() != c.ack || dst.TCPFlags != c.want {
				t.Errorf("%s: got %v %d %d %x", c.name, dst.T, dst.Seq(), dst.Ack(), dst.TCPFlags)
			}
		}
	}
	about := randomPacket(r, randomTuple(r, 4, ProtoUDP), 9)
	if BuildReset(newBuf(10), about) {
		t.Error("reset a datagram")
	}
	group := newBuf(10)
	tu := randomTuple(r, 4, ProtoTCP)
	tu.Dst[0] = 224
	BuildTCP(group, tu, 64, 0, 1000, 5000, FlagSYN, 9, 0)
	if BuildReset(newBuf(10), group) || BuildReset(&Packet{}, group) {
		t.Error("reset a group")
	}
}
