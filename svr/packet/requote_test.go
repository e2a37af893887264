package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

// requote translates e about p to the tuple to and returns the new error and
// what it quotes.
func requote(t *testing.T, e *Packet, to Tuple, mtu int) (*Packet, Quote) {
	t.Helper()
	q, ok := e.Quote()
	if !ok {
		t.Fatal("no quote")
	}
	dst := newBuf(1500)
	if !BuildICMPFromQuote(dst, e, &q, router(to.Family), to.Src, to, mtu) {
		t.Fatalf("%v to %v refused", q.T, to)
	}
	sound(t, dst)
	got, ok := dst.Quote()
	if !ok || got.T != to {
		t.Fatalf("quotes %v, want %v", got.T, to)
	}
	if dst.T.Src != router(to.Family) || dst.T.Dst != to.Src || dst.TTL() != e.TTL() {
		t.Fatalf("is %v", dst.T)
	}
	return dst, got
}

// The translated error quotes what the packet would have been after the same
// rewrite, byte for byte as far as it reaches.
func TestRequoteSameProtocol(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		p.CompleteCsum()
		family := p.T.Family
		if r.IntN(2) == 0 && p.Kind != KindEcho {
			family = 10 - family
		}
		to := randomTuple(r, family, p.T.Proto)
		e := errorAbout(t, p, ErrTTL, 8+2*r.IntN(50)) // even: no half checksum
		dst, got := requote(t, e, to, 0)
		if !p.Readdress(to) {
			t.Fatal("refused")
		}
		quoted := dst.Payload()
		want := p.IP()[:min(p.Len(), len(quoted))]
		if !bytes.Equal(quoted, want) {
			t.Fatalf("quotes\n%x, want\n%x", quoted, want)
		}
		if got.Length != p.Len() {
			t.Fatalf("length %d, want %d", got.Length, p.Len())
		}
	})
}

// From a plain packet to its transform and back.
func TestRequoteTransform(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		if p.Kind == KindUDP {
			return
		}
		p.CompleteCsum()
		plain, inner := clone(p), p.T
		outer := randomTuple(r, 4+2*uint8(r.IntN(2)), ProtoUDP)

		// Our own error about the inner packet, told to the sender of the outer.
		e := errorAbout(t, p, ErrTTL, 60)
		dst, got := requote(t, e, outer, 0)
		p.ToUDP(outer.SrcPort, outer.DstPort)
		if !p.Readdress(outer) {
			t.Fatal("refused")
		}
		quoted, want := dst.Buf[got.L4:got.End], p.Buf[p.L4:p.End]
		want = want[:min(len(want), len(quoted))]
		if got.Length != p.Len() || !bytes.Equal(quoted[:6], want[:6]) {
			t.Fatalf("quotes %x of %d, want %x of %d", quoted[:8], got.Length, want[:8], p.Len())
		}
		if zeroCsums(quoted[8:], inner.Proto); !bytes.Equal(quoted[8:], want[8:]) {
			t.Fatalf("quotes\n%x, want\n%x", quoted, want)
		}

		// The other router translates it back.
		back, q := requote(t, dst, inner, 0)
		quoted, want = back.Buf[q.L4:q.End], plain.Buf[plain.L4:plain.End]
		if inner.Proto == ProtoTCP && (!q.HasSeq || q.Seq != plain.Seq()) {
			t.Fatal("sequence number lost")
		}
		n := min(len(quoted), len(want))
		if inner.Proto == ProtoTCP {
			zeroCsums(want[4:], inner.Proto) // behind the ports
		} else {
			zeroCsums(want, inner.Proto)
		}
		if !bytes.Equal(quoted[:n], want[:n]) || n < 40 && n < plain.End-plain.L4 {
			t.Fatalf("quotes\n%x, want\n%x", quoted[:n], want[:n])
		}
	})
}

// zeroCsums clears the checksum a transform clears, in a segment from its
// sequence number on or in an ICMP message, if it was quoted.
func zeroCsums(b []byte, proto uint8) {
	at := 2
	if proto == ProtoTCP {
		at = 12
	}
	if len(b) >= at+2 {
		b[at], b[at+1] = 0, 0
	}
}

// A quoted transform whose data means nothing: the session knows better.
func TestRequoteWithoutData(t *testing.T) {
	r := rng()
	p := randomPacket(r, randomTuple(r, 4, ProtoUDP), 100)
	e := errorAbout(t, p, ErrTooBig, 60)
	q, _ := e.Quote()
	q.End = q.Data
	q.Seq, q.HasSeq = 0xdeadbeef, true
	dst, to := newBuf(1500), randomTuple(r, 6, ProtoTCP)
	if !BuildICMPFromQuote(dst, e, &q, router(6), to.Src, to, 1300) {
		t.Fatal("refused")
	}
	sound(t, dst)
	got, ok := dst.Quote()
	if !ok || got.T != to || got.Seq != 0xdeadbeef || got.MTU != 1300 || got.End-got.L4 != 8 {
		t.Errorf("got %+v", got)
	}
	q.HasSeq = false
	BuildICMPFromQuote(dst, e, &q, router(6), to.Src, to, 1300)
	if got, _ := dst.Quote(); got.Seq != 0 {
		t.Errorf("sequence %x from nowhere", got.Seq)
	}
	echo := randomTuple(r, 6, ProtoICMPv6)
	if !BuildICMPFromQuote(dst, e, &q, router(6), echo.Src, echo, 1300) {
		t.Fatal("refused")
	}
	if got, ok := dst.Quote(); !ok || got.T != echo || dst.Buf[got.L4] != 128 {
		t.Errorf("got %+v", got)
	}
}

// A known sequence number also goes into a quoted transform.
func TestRequoteSetsSequence(t *testing.T) {
	r := rng()
	p := randomPacket(r, randomTuple(r, 4, ProtoTCP), 100)
	e := errorAbout(t, p, ErrTTL, 8)
	q, _ := e.Quote()
	q.Seq = 0x01020304
	dst, to := newBuf(1500), randomTuple(r, 4, ProtoUDP)
	if !BuildICMPFromQuote(dst, e, &q, router(4), to.Src, to, 0) {
		t.Fatal("refused")
	}
	got, _ := dst.Quote()
	if b := dst.Buf[got.Data:got.End]; !bytes.Equal(b, []byte{1, 2, 3, 4}) {
		t.Errorf("behind the UDP header: %x", b)
	}
}

// icmp is type, code and second word of an ICMP header.
type icmp struct {
	typ, code byte
	rest      uint32
}

// drop stands for no error at all.
var drop = icmp{}

// translations are types and codes across families, RFC 7915 4.2 and 5.2; 1234
// is the MTU told.
var translations = []struct {
	from     uint8
	in, want icmp
}{
	{4, icmp{3, 0, 0}, icmp{1, 0, 0}},
	{4, icmp{3, 1, 0}, icmp{1, 0, 0}},
	{4, icmp{3, 2, 0}, icmp{4, 1, 6}},
	{4, icmp{3, 3, 0}, icmp{1, 4, 0}},
	{4, icmp{3, 4, 1400}, icmp{2, 0, 1234}},
	{4, icmp{3, 5, 0}, icmp{1, 0, 0}},
	{4, icmp{3, 9, 0}, icmp{1, 1, 0}},
	{4, icmp{3, 10, 0}, icmp{1, 1, 0}},
	{4, icmp{3, 12, 0}, icmp{1, 0, 0}},
	{4, icmp{3, 13, 0}, icmp{1, 1, 0}},
	{4, icmp{3, 14, 0}, drop},
	{4, icmp{3, 15, 0}, icmp{1, 1, 0}},
	{4, icmp{3, 99, 0}, drop},
	{4, icmp{11, 0, 0}, icmp{3, 0, 0}},
	{4, icmp{11, 1, 0}, icmp{3, 1, 0}},
	{4, icmp{12, 0, 0 << 24}, icmp{4, 0, 0}},
	{4, icmp{12, 0, 1 << 24}, icmp{4, 0, 1}},
	{4, icmp{12, 0, 3 << 24}, icmp{4, 0, 4}},
	{4, icmp{12, 0, 8 << 24}, icmp{4, 0, 7}},
	{4, icmp{12, 2, 9 << 24}, icmp{4, 0, 6}},
	{4, icmp{12, 0, 15 << 24}, icmp{4, 0, 8}},
	{4, icmp{12, 0, 19 << 24}, icmp{4, 0, 24}},
	{4, icmp{12, 0, 20 << 24}, drop},
	{4, icmp{12, 0, 5 << 24}, drop},
	{4, icmp{12, 1, 0}, drop},
	{6, icmp{1, 0, 0}, icmp{3, 1, 0}},
	{6, icmp{1, 1, 0}, icmp{3, 10, 0}},
	{6, icmp{1, 2, 0}, icmp{3, 1, 0}},
	{6, icmp{1, 3, 0}, icmp{3, 1, 0}},
	{6, icmp{1, 4, 0}, icmp{3, 3, 0}},
	{6, icmp{1, 5, 0}, drop},
	{6, icmp{2, 0, 1400}, icmp{3, 4, 1234}},
	{6, icmp{3, 0, 0}, icmp{11, 0, 0}},
	{6, icmp{3, 1, 0}, icmp{11, 1, 0}},
	{6, icmp{4, 1, 0}, icmp{3, 2, 0}},
	{6, icmp{4, 2, 0}, drop},
	{6, icmp{4, 0, 0}, icmp{12, 0, 0}},
	{6, icmp{4, 0, 5}, icmp{12, 0, 2 << 24}},
	{6, icmp{4, 0, 6}, icmp{12, 0, 9 << 24}},
	{6, icmp{4, 0, 7}, icmp{12, 0, 8 << 24}},
	{6, icmp{4, 0, 23}, icmp{12, 0, 12 << 24}},
	{6, icmp{4, 0, 39}, icmp{12, 0, 16 << 24}},
	{6, icmp{4, 0, 2}, drop},
	{6, icmp{4, 0, 40}, drop},
}

func TestTranslate(t *testing.T) {
	for _, c := range translations {
		p := randomPacket(rng(), randomTuple(rng(), c.from, ProtoUDP), 100)
		e := errorAbout(t, p, ErrTTL, 60)
		h := e.Buf[e.L4:]
		h[0], h[1] = c.in.typ, c.in.code
		be.PutUint32(h[4:], c.in.rest)
		e.Finish()
		q, ok := e.Quote()
		if !ok {
			t.Fatal("no quote")
		}
		for _, to := range []uint8{10 - c.from, c.from} {
			dst, tu := newBuf(1500), randomTuple(rng(), to, ProtoUDP)
			ok := BuildICMPFromQuote(dst, e, &q, router(to), tu.Src, tu, 1234)
			want := c.want
			if to == c.from {
				want = c.in
				if c.want.rest == 1234 {
					want.rest = 1234
				}
			}
			if ok != (want != drop) {
				t.Errorf("v%d %v to v%d: %v", c.from, c.in, to, ok)
			} else if ok {
				sound(t, dst)
				h := dst.Buf[dst.L4:]
				if got := (icmp{h[0], h[1], be.Uint32(h[4:])}); got != want {
					t.Errorf("v%d %v to v%d: got %v, want %v", c.from, c.in, to, got, want)
				}
			}
		}
	}
}

func TestRequoteRefuses(t *testing.T) {
	r := rng()
	for _, c := range []struct {
		from, to Tuple
	}{
		{randomTuple(r, 4, ProtoTCP), randomTuple(r, 4, ProtoICMP)},
		{randomTuple(r, 4, ProtoICMP), randomTuple(r, 6, ProtoICMP)},
		{randomTuple(r, 4, ProtoICMP), randomTuple(r, 4, ProtoTCP)},
		{randomTuple(r, 4, ProtoUDP), randomTuple(r, 4, 47)},
		{randomTuple(r, 4, ProtoUDP), randomTuple(r, 6, ProtoICMP)},
		{randomTuple(r, 4, ProtoUDP), Tuple{Proto: ProtoUDP}},
	} {
		e := errorAbout(t, randomPacket(r, c.from, 50), ErrTTL, 58)
		q, ok := e.Quote()
		if !ok {
			t.Fatal("no quote")
		}
		if BuildICMPFromQuote(newBuf(1500), e, &q, router(4), c.to.Src, c.to, 0) {
			t.Errorf("%v to %v: built", c.from, c.to)
		}
	}
	e := errorAbout(t, randomPacket(r, randomTuple(r, 4, ProtoUDP), 50), ErrTTL, 58)
	q, _ := e.Quote()
	if BuildICMPFromQuote(&Packet{Buf: make([]byte, 60)}, e, &q, router(4), q.T.Src, q.T, 0) {
		t.Error("wrote to a small buffer")
	}
}
