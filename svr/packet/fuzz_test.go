package packet_test

import (
	"bytes"
	"testing"

	. "waymark/svr/packet"
)

// seeds are packets of every sort.
func seeds() [][]byte {
	quoted := append(ip4(1, "", "03040000 00000500"), ip4(6, "", tcp20)...)
	be.PutUint16(quoted[2:], uint16(len(quoted)))
	be.PutUint16(quoted[10:], 0)
	be.PutUint16(quoted[10:], ^uint16(naiveSum(quoted[:20], 0)))
	quoted6 := append(ip6(58, "02000000 00000500"), ip6(17, udp8)...)
	be.PutUint16(quoted6[4:], uint16(len(quoted6)-40))
	return [][]byte{
		ip4(6, "", tcp20+"aabb"), ip4(17, "94040000", udp8), ip4(1, "", goldenEcho), ip4(47, "", "00000800"),
		ip6(6, tcp20), ip6(17, udp8), ip6(58, "80000000 12340001"), ip6(0, "0600 0104 00000000"+tcp20),
		ip6(44, "1100 0001 00000001"+udp8), ip6(44, "1100 0009 00000001"+udp8), ip6(43, "0600 0001 00000000"+tcp20),
		ip6(6, "c3cc20fb"+goldenSYN), quoted, quoted6,
	}
}

// parsed makes a packet of fuzzed bytes; an IPv4 header gets a right checksum
// first, so that the fuzzer gets past it.
func parsed(b []byte) (*Packet, bool) {
	b = bytes.Clone(b[:min(len(b), MaxLen)])
	if len(b) >= 20 && b[0]>>4 == 4 {
		if hl := int(b[0]&15) * 4; hl >= 20 && hl <= len(b) {
			b[10], b[11] = 0, 0
			be.PutUint16(b[10:], ^uint16(naiveSum(b[:hl], 0)))
		}
	}
	p := view(b)
	return p, p.Parse() == nil
}

// FuzzParse runs every method on whatever parses; what they leave must parse
// again to the same.
func FuzzParse(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsed(b)
		if !ok {
			return
		}
		if p.Off > p.L4 || p.L4 > p.Data || p.Data > p.End || p.End > room+len(b) {
			t.Fatalf("offsets %d %d %d %d", p.Off, p.L4, p.Data, p.End)
		}
		p.DecTTL()
		p.SetTOS(p.TOS() ^ 3)
		p.MSS()
		if p.Kind == KindOther || p.Kind == KindFragment {
			if p.Rewrite(p.T) || p.Readdress(p.T) || p.ToUDP(1, 2) {
				t.Fatal("changed what it cannot")
			}
			return
		}
		p.ClampMSS(1000)
		p.Rewrite(randomTuple(rng(), p.T.Family, p.T.Proto))
		p.Finish()
		sound(t, p)
		p.FinishFull()
		sound(t, p)
		if p.DropExtensions() {
			sound(t, p)
		}
		if p.Readdress(randomTuple(rng(), 10-p.T.Family, p.T.Proto)) {
			sound(t, p)
		}
		if proto := p.T.Proto; p.ToUDP(5, 7) {
			sound(t, p)
			if !p.FromUDP(proto, 9, 9) {
				t.Fatal("no way back")
			}
			sound(t, p)
		}
		dst := newBuf(1500)
		if BuildICMPError(dst, p, ErrTTL, 0, router(p.T.Family)) {
			sound(t, dst)
		}
		if BuildReset(dst, p) {
			sound(t, dst)
		}
	})
}

// FuzzFromUDP feeds data of a stranger to the way back from a transform.
func FuzzFromUDP(f *testing.F) {
	for _, s := range []string{goldenSYN, goldenData, goldenEcho, ""} {
		f.Add(uint8(ProtoTCP), unhex(s))
		f.Add(uint8(ProtoICMP), unhex(s))
	}
	f.Fuzz(func(t *testing.T, proto uint8, b []byte) {
		b = b[:min(len(b), 2000)]
		family := uint8(4)
		if proto == ProtoICMPv6 {
			family = 6
		}
		p := newBuf(len(b))
		data := Build(p, randomTuple(rng(), family, ProtoUDP), 64, 0, len(b))
		if len(data) != copy(data, b) {
			return
		}
		p.Finish()
		if p.FromUDP(proto, 3, 3) {
			sound(t, p)
			p.ClampMSS(100)
			sound(t, p)
		}
	})
}

// FuzzQuote reads and translates quotes of ICMP errors.
func FuzzQuote(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b, uint8(6), false)
		f.Add(b, uint8(17), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, proto uint8, cross bool) {
		p, ok := parsed(b)
		if !ok {
			return
		}
		q, ok := p.Quote()
		if !ok {
			return
		}
		if q.Off != p.Data || q.Off > q.L4 || q.L4+8 > q.Data || q.Data > q.End || q.End > p.End {
			t.Fatalf("offsets %+v of %d to %d", q, p.Data, p.End)
		}
		to := randomTuple(rng(), q.T.Family, proto)
		if cross {
			to = randomTuple(rng(), 10-q.T.Family, proto)
		}
		dst := newBuf(1500)
		if !BuildICMPFromQuote(dst, p, &q, router(to.Family), to.Src, to, 1300) {
			return
		}
		sound(t, dst)
		if dst.Len() > 1280 || dst.T.Family == 4 && dst.Len() > 576 {
			t.Fatalf("%d bytes", dst.Len())
		}
		if got, ok := dst.Quote(); !ok || got.T != to {
			t.Fatalf("quotes %v, want %v", got.T, to)
		}
	})
}

// FuzzSegmenter cuts whatever parses; the pieces together are the whole.
func FuzzSegmenter(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b, uint16(1), uint16(0))
		f.Add(b, uint16(9), uint16(2))
	}
	f.Fuzz(func(t *testing.T, b []byte, max, size uint16) {
		p, ok := parsed(b)
		if !ok || p.End-p.Data > 64*int(max) || p.End-p.Data > 64*int(size)+64 {
			return
		}
		p.Csum = CsumValid
		if size > 0 && p.Kind == KindTCP {
			p.GSO, p.GSOSize = GSOTCP4, size
		} else if size > 0 {
			p.GSO, p.GSOSize = GSOUDP, size
		}
		var s Segmenter
		if !s.Init(p, int(max)) {
			return
		}
		var got []byte
		for dst := newBuf(len(b)); s.Next(dst); {
			sound(t, dst)
			if p.Kind == KindTCP {
				want := p.Seq() + uint32(len(got))
				if len(got) > 0 && p.Buf[p.L4+13]&FlagSYN != 0 {
					want++ // it counts
				}
				if dst.Seq() != want {
					t.Fatalf("segment behind %d bytes has number %d, want %d", len(got), dst.Seq(), want)
				}
			}
			got = append(got, dst.Payload()...)
		}
		if !bytes.Equal(got, p.Payload()) {
			t.Fatalf("got\n%x, want\n%x", got, p.Payload())
		}
	})
}

// FuzzReassembler plays a script of pieces: three bytes each, offset in units,
// key and flags, length. What comes out must be the whole the pieces are cut
// from, whose byte at any place depends on the place only.
func FuzzReassembler(f *testing.F) {
	f.Add([]byte{0, 0x80, 16, 2, 0, 9}, false)
	f.Add([]byte{2, 0, 9, 0, 0x80, 16, 0, 0x80, 16}, true)
	f.Add([]byte{0, 0x81, 64, 1, 0x81, 64, 8, 1, 64}, false)
	whole := randomBytes(rng(), 1<<16)
	f.Fuzz(func(t *testing.T, script []byte, same bool) {
		re := NewReassembler[uint8](ReassemblerConfig{Contexts: 3, Memory: 1, Lifetime: 100})
		script = script[:min(len(script), 600)]
		for now := int64(1); len(script) >= 3; script, now = script[3:], now+1 {
			at, n := int(script[0])*8, int(script[2])
			b := bytes.Clone(whole[at : at+n])
			if !same && now%5 == 0 && n > 0 {
				b[0]++
			}
			got, done, err := re.Add(now, script[1]&7, at, script[1]&0x80 != 0, b)
			if done && (err != nil || same && !bytes.Equal(got, whole[:len(got)])) {
				t.Fatalf("joined wrong bytes, %v", err)
			}
			if used, capacity := re.InUse(); used < 0 || used > capacity {
				t.Fatalf("%d in use", used)
			}
		}
		re.Expire(1 << 40)
		if used, _ := re.InUse(); used != 0 {
			t.Fatalf("%d in use", used)
		}
	})
}

// FuzzJoin feeds parsed fragments, whole chains of them, to the IP reassembler.
func FuzzJoin(f *testing.F) {
	first, last := ip6(44, "1100 0001 00000001"+"c3cc0035 00100000"), ip6(44, "1100 0008 00000001"+"0102030405060708")
	f.Add(first, last)
	f.Add(last, first)
	f.Add(ip4(17, "", udp8), first)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		re, dst := NewIPReassembler(ReassemblerConfig{Contexts: 2, Memory: 1}), newBuf(9000)
		for _, x := range [][]byte{a, b} {
			p, ok := parsed(x)
			if !ok || p.Len() > 4000 {
				return
			}
			if done, _, _ := re.Add(1, p, dst); done {
				if dst.Kind != KindOther && dst.Kind != KindFragment {
					dst.Finish()
				}
				sound(t, dst)
			}
		}
	})
}
