package packet_test

import (
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

// errorAbout is an ICMP error about p that quotes n bytes of its L4.
func errorAbout(t *testing.T, p *Packet, kind ErrKind, n int) *Packet {
	t.Helper()
	dst := newBuf(1500)
	if !BuildICMPError(dst, p, kind, 1400, router(p.T.Family)) {
		t.Fatal("refused")
	}
	if over := len(dst.Payload()) - (p.L4 - p.Off + n); over > 0 {
		dst.Trim(over)
	}
	dst.Finish()
	return dst
}

func TestQuote(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		n := 8 + r.IntN(50)
		e := errorAbout(t, p, ErrTooBig, n)
		q, ok := e.Quote()
		if !ok || q.T != p.T || q.MTU != 1400 || q.Length != p.Len() {
			t.Fatalf("got %v %+v, want %v", ok, q, p.T)
		}
		if q.HasSeq != (p.Kind == KindTCP) || q.HasSeq && q.Seq != p.Seq() {
			t.Fatalf("sequence %v %d", q.HasSeq, q.Seq)
		}
		if q.Off != e.Data || q.L4 != e.Data+p.L4-p.Off || q.End != e.End {
			t.Fatalf("offsets %+v in %d %d", q, e.Data, e.End)
		}
		if want := min(q.L4+p.Data-p.L4, q.End); q.Data != want {
			t.Fatalf("data at %d, want %d", q.Data, want)
		}
	})
}

func TestQuoteRefuses(t *testing.T) {
	v4 := func(quoted []byte) []byte {
		return append(ip4(1, "", "0b000000 00000000")[:28], quoted...)
	}
	v6 := func(quoted []byte) []byte {
		return append(ip6(58, "03000000 00000000")[:48], quoted...)
	}
	later := ip4(17, "", udp8)
	later[7] = 1
	for name, b := range map[string][]byte{
		"nothing":             v4(nil),
		"short header":        v4(ip4(17, "", udp8)[:19]),
		"7 bytes of L4":       v4(ip4(17, "", udp8)[:27]),
		"other version":       v4(ip6(17, udp8)),
		"later fragment":      v4(later),
		"gre":                 v4(ip4(47, "", "0000080000000000")),
		"an error":            v4(ip4(1, "", "0301000000000000")),
		"length 27":           v4(append(ip4(17, "", udp8[:15]), 0)),
		"options cut":         v4(ip4(17, "94040000", udp8)[:23]),
		"v6 nothing":          v6(nil),
		"v6 short header":     v6(ip6(17, udp8)[:39]),
		"v6 7 bytes of L4":    v6(ip6(17, udp8)[:47]),
		"v6 other version":    v6(ip4(17, "", udp8)),
		"v6 later fragment":   v6(ip6(44, "1100 0010 00000001"+udp8)),
		"v6 extension cut":    v6(ip6(60, "1101 0104 00000000"+udp8)),
		"v6 routing":          v6(ip6(43, "1100 0001 00000000"+udp8)),
		"v6 neighbour":        v6(ip6(58, "8700000000000000")),
		"v6 length 7":         v6(append(ip6(17, udp8[:15]), 0)),
		"v6 icmpv4 in quoted": v6(ip6(1, "0800000012340001")),
	} {
		p := fixLength(b)
		if err := p.Parse(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if q, ok := p.Quote(); ok {
			t.Errorf("%s: quoted %+v", name, q)
		}
	}
	if _, ok := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 50).Quote(); ok {
		t.Error("a datagram quotes")
	}
}

// fixLength makes the outer IP header of b fit.
func fixLength(b []byte) *Packet {
	if b[0]>>4 == 4 {
		be.PutUint16(b[2:], uint16(len(b)))
		be.PutUint16(b[10:], 0)
		be.PutUint16(b[10:], ^uint16(naiveSum(b[:20], 0)))
	} else {
		be.PutUint16(b[4:], uint16(len(b)-40))
	}
	return view(b)
}

func TestQuoteFirstFragmentAndExtensions(t *testing.T) {
	first := ip4(17, "", udp8)
	first[6] = 0x20
	for name, b := range map[string][]byte{
		"v4 first fragment": append(ip4(1, "", "0b000000 00000000"), first...),
		"v4 options":        append(ip4(1, "", "0b000000 00000000"), ip4(17, "94040000", udp8)...),
		"v6 first fragment": append(ip6(58, "03000000 00000000"), ip6(44, "1100 0001 00000001"+udp8)...),
		"v6 extension":      append(ip6(58, "03000000 00000000"), ip6(60, "1100 0104 00000000"+udp8)...),
	} {
		p := fixLength(b)
		if err := p.Parse(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		q, ok := p.Quote()
		if !ok || q.T.Proto != ProtoUDP || q.T.SrcPort != 0xc3cc || q.T.DstPort != 53 || q.Data != p.End {
			t.Errorf("%s: %v %+v", name, ok, q)
		}
	}
}

// RFC 4884: extensions behind the quoted packet are not part of it.
func TestQuoteStopsAtExtensions(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		p := randomPacket(r, randomTuple(r, family, ProtoUDP), 400)
		e := errorAbout(t, p, ErrTTL, 500)
		h := e.Buf[e.L4:]
		if family == 4 {
			h[5] = 128 / 4
		} else {
			h[4] = 128 / 8
		}
		e.Finish()
		if q, ok := e.Quote(); !ok || q.End != e.Data+128 {
			t.Errorf("v%d: quote of %d bytes", family, q.End-q.Off)
		}
	}
}

func TestQuoteStopsAtLength(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 10)
	e := errorAbout(t, p, ErrTTL, 18)
	e.Extend(40)
	e.Finish()
	if q, ok := e.Quote(); !ok || q.End != e.Data+p.Len() {
		t.Errorf("quote of %d bytes, want %d", q.End-q.Off, p.Len())
	}
}
