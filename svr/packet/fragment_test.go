package packet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

// fragments cuts p at mtu.
func fragments(t *testing.T, p *Packet, mtu int) []*Packet {
	t.Helper()
	f := Fragmenter{ID: 77}
	if !f.Init(p, mtu) {
		t.Fatal("refused")
	}
	var out []*Packet
	for {
		dst := newBuf(min(mtu, p.Len()))
		if !f.Next(dst) {
			break
		}
		sound(t, dst)
		if dst.Len() > mtu || dst.TTL() != p.TTL() || dst.TOS() != p.TOS() || dst.If != p.If {
			t.Fatalf("fragment of %d bytes, mtu %d", dst.Len(), mtu)
		}
		out = append(out, dst)
	}
	return out
}

// rejoin adds the fragments in order of ps; dst is what came out.
func rejoin(t *testing.T, re *IPReassembler, ps []*Packet) (dst *Packet, largest int) {
	t.Helper()
	dst = newBuf(MaxLen)
	for i, p := range ps {
		done, n, err := re.Add(1, p, dst)
		if err != nil || done != (i == len(ps)-1) {
			t.Fatalf("fragment %d of %d: %v %v", i, len(ps), done, err)
		}
		largest = n
	}
	return dst, largest
}

func TestFragmentAndJoin(t *testing.T) {
	r := rng()
	re := NewIPReassembler(ReassemblerConfig{})
	for i := range 300 {
		family := uint8(4 + 2*(i&1))
		proto := []uint8{ProtoTCP, ProtoUDP, echoProto(family)}[i%3]
		p := randomPacket(r, randomTuple(r, family, proto), 100+r.IntN(9000))
		p.SetDF(false)
		p.SetIPID(uint16(i))
		mtu := 100 + r.IntN(1400)
		want := full(p)
		ps := fragments(t, p, mtu)
		if len(ps) < 2 && p.Len() > mtu {
			t.Fatal("not cut")
		}
		if len(ps) == 1 {
			if !bytes.Equal(full(ps[0]), want) || ps[0].Kind != p.Kind {
				t.Fatal("not the packet itself")
			}
			continue
		}
		r.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
		got, largest := rejoin(t, re, ps)
		sound(t, got)
		if !got.VerifyL4() || !bytes.Equal(got.IP(), want) || got.If != 7 {
			t.Fatalf("got\n%x, want\n%x", got.IP(), want)
		}
		longest := 0
		for _, f := range ps {
			longest = max(longest, f.Len())
		}
		if largest != longest {
			t.Fatalf("largest %d, want %d", largest, longest)
		}
	}
}

func TestFragmentTwice(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 4000)
	p.SetDF(false)
	want := full(p)
	var ps []*Packet
	for _, f := range fragments(t, p, 1500) {
		ps = append(ps, fragments(t, f, 576)...)
	}
	if len(ps) < 8 {
		t.Fatalf("%d pieces", len(ps))
	}
	got, _ := rejoin(t, NewIPReassembler(ReassemblerConfig{}), ps)
	if !bytes.Equal(got.IP(), want) {
		t.Error("bytes differ")
	}
}

// Options with the copied flag are in every fragment, others in the first.
func TestFragmentOptions(t *testing.T) {
	p := view(ip4(17, "01 44040500 82040102 000000", udp8))
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.Extend(100)
	p.SetDF(false)
	p.Finish()
	want := full(p)
	ps := fragments(t, p, 80)
	if len(ps) < 2 {
		t.Fatal("not cut")
	}
	for i, f := range ps {
		opts := "44040500"
		if i > 0 {
			opts = "82040102"
		}
		if h := f.Buf[f.Off+20 : f.L4]; !bytes.Contains(h, unhex(opts)) || i > 0 && len(h) != 4 {
			t.Errorf("fragment %d: options %x", i, h)
		}
	}
	got, _ := rejoin(t, NewIPReassembler(ReassemblerConfig{}), ps)
	if !bytes.Equal(got.IP(), want) {
		t.Error("bytes differ")
	}
}

func TestFragmenterRefuses(t *testing.T) {
	r := rng()
	make4 := func() *Packet {
		p := randomPacket(r, randomTuple(r, 4, ProtoUDP), 3000)
		p.SetDF(false)
		return p
	}
	df, super, v6 := make4(), make4(), view(ip6(60, "0600 0104 00000000"+tcp20))
	df.SetDF(true)
	super.GSO = GSOUDP
	if err := v6.Parse(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		p    *Packet
		mtu  int
	}{{"df", df, 1500}, {"super", super, 1500}, {"mtu", make4(), 27}, {"extension headers", v6, 60}} {
		var f Fragmenter
		if f.Init(c.p, c.mtu) || f.Next(newBuf(1500)) {
			t.Errorf("%s: cut", c.name)
		}
	}
	var f Fragmenter
	f.Init(make4(), 1500)
	if f.Next(&Packet{Buf: make([]byte, 1400)}) {
		t.Error("wrote to a small buffer")
	}
}

func TestFragmenterIDs(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 6, ProtoUDP), 3000)
	f := Fragmenter{ID: 41}
	f.Init(p, 1280)
	dst := newBuf(1280)
	if f.Next(dst); be.Uint32(dst.Buf[dst.L4-4:]) != 41 || f.ID != 42 {
		t.Errorf("id %d, next %d", be.Uint32(dst.Buf[dst.L4-4:]), f.ID)
	}
}

func TestJoinExtensionHeaders(t *testing.T) {
	hop := "2c00 0104 00000000"
	a := view(ip6(0, hop+"1100 0001 00000009"+"c3cc0035 00100000"))
	b := view(ip6(0, hop+"1100 0008 00000009"+"0102030405060708"))
	for _, p := range []*Packet{a, b} {
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := rejoin(t, NewIPReassembler(ReassemblerConfig{}), []*Packet{b, a})
	want := ip6(0, "1100 0104 00000000"+"c3cc0035 00100000 0102030405060708")
	if !bytes.Equal(got.IP(), want) {
		t.Errorf("got\n%x, want\n%x", got.IP(), want)
	}
}

func TestJoinECN(t *testing.T) {
	for _, c := range []struct {
		a, b, want uint8
		ok         bool
	}{{2, 2, 2, true}, {2, 3, 3, true}, {3, 2, 3, true}, {1, 3, 3, true}, {0, 0, 0, true}, {0, 3, 0, false}, {3, 0, 0, false}} {
		p := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 1500)
		p.SetDF(false)
		ps := fragments(t, p, 1000)
		ps[0].SetTOS(c.a)
		ps[1].SetTOS(c.b)
		re, dst := NewIPReassembler(ReassemblerConfig{}), newBuf(MaxLen)
		re.Add(1, ps[0], dst)
		done, _, err := re.Add(1, ps[1], dst)
		if done != c.ok || (err == nil) != c.ok {
			t.Errorf("%d %d: %v %v", c.a, c.b, done, err)
		}
		if done && dst.TOS() != c.want {
			t.Errorf("%d %d: got %d, want %d", c.a, c.b, dst.TOS(), c.want)
		}
	}
}

// Join asks for its large buffer with the last fragment only.
func TestJoinAsksForRoomLast(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 60000)
	p.SetDF(false)
	want, ps := full(p), fragments(t, p, 1500)
	re, asked := NewIPReassembler(ReassemblerConfig{}), 0
	dst := newBuf(MaxLen)
	room := func() *Packet { asked++; return dst }
	for i, q := range ps {
		got, _, err := re.Join(1, q, room)
		if last := i == len(ps)-1; err != nil || (got != nil) != last || asked != map[bool]int{true: 1}[last] {
			t.Fatalf("fragment %d of %d: got %v, %v, asked %d times", i, len(ps), got != nil, err, asked)
		}
	}
	if !bytes.Equal(dst.IP(), want) {
		t.Error("the packet differs")
	}
	for _, q := range ps {
		got, _, err := re.Join(1, q, func() *Packet { return nil })
		if got != nil || err != nil && !errors.Is(err, ErrPieceRoom) {
			t.Fatalf("without room: got %v, %v", got != nil, err)
		}
	}
	if used, _ := re.InUse(); used != 1 {
		t.Errorf("%d in use, want 1 that was given up", used)
	}
}

func TestJoinRefuses(t *testing.T) {
	r := rng()
	re := NewIPReassembler(ReassemblerConfig{})
	whole := randomPacket(r, randomTuple(r, 4, ProtoUDP), 100)
	if _, _, err := re.Add(1, whole, newBuf(MaxLen)); !errors.Is(err, ErrPieceMalformed) {
		t.Errorf("no fragment: %v", err)
	}
	p := randomPacket(r, randomTuple(r, 4, ProtoUDP), 2000)
	p.SetDF(false)
	ps := fragments(t, p, 1500)
	small := &Packet{Buf: make([]byte, 1900)}
	re.Add(1, ps[0], small)
	if done, _, err := re.Add(1, ps[1], small); done || !errors.Is(err, ErrPieceRoom) {
		t.Errorf("small destination: %v %v", done, err)
	}
	long := view(ip6(0, "2c10 0104 00000000"+string(bytes.Repeat([]byte("00"), 128))+"1100 0001 00000009"+"c3cc0035 00100000"))
	if err := long.Parse(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := re.Add(1, long, small); !errors.Is(err, ErrPieceMalformed) {
		t.Errorf("long header: %v", err)
	}
	if used, _ := re.InUse(); used != 2 {
		t.Errorf("%d in use, want 2 until they expire", used)
	}
	re.Expire(4 * second)
	if used, _ := re.InUse(); used != 0 {
		t.Errorf("%d in use", used)
	}
	if n := re.Counters(); n.Pieces != 3 || n.Joined != 0 || n.Overlaps != 2 {
		t.Errorf("%+v", n)
	}
}

// Fragments that join to something malformed are an error, not a packet.
func TestJoinTinyFirst(t *testing.T) {
	re, dst := NewIPReassembler(ReassemblerConfig{}), newBuf(MaxLen)
	frag := func(word, l4 string) *Packet {
		b := ip4(6, "", l4)
		copy(b[6:], unhex(word))
		be.PutUint16(b[10:], 0)
		be.PutUint16(b[10:], ^uint16(naiveSum(b[:20], 0)))
		p := view(b)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	re.Add(1, frag("2000", "c3cc20fb00000001"), dst)
	if done, _, err := re.Add(1, frag("0001", "00000002"), dst); done || !errors.Is(err, ErrShort) {
		t.Errorf("got %v %v", done, err)
	}
}

// Every byte of a joined packet may be written over its own fragment.
func TestJoinInPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := randomPacket(r, randomTuple(r, 4, ProtoUDP), 2000)
	p.SetDF(false)
	want := full(p)
	ps := fragments(t, p, 1500)
	re, buf := NewIPReassembler(ReassemblerConfig{}), newBuf(MaxLen)
	var done bool
	for _, f := range ps {
		copy(buf.Buf[room:], f.IP())
		buf.Reset(buf.Buf, room, room+f.Len(), 7)
		if err := buf.Parse(); err != nil {
			t.Fatal(err)
		}
		done, _, _ = re.Add(1, buf, buf)
	}
	if !done || !bytes.Equal(buf.IP(), want) {
		t.Error("bytes differ")
	}
}
