package packet_test

import (
	"bytes"
	"testing"

	. "waymark/svr/packet"
)

// sink collects what a coalescer emits and what it leaves.
type sink struct {
	c   *Coalescer
	out []*Packet
}

func newSink(flows, size int) *sink {
	s := &sink{}
	bufs := make([][]byte, flows)
	for i := range bufs {
		bufs[i] = make([]byte, size)
	}
	s.c = NewCoalescer(bufs, room, func(p *Packet) { s.out = append(s.out, clone(p)) })
	return s
}

// send is what a lane does with each packet.
func (s *sink) send(p *Packet) {
	if !s.c.Add(p) {
		s.out = append(s.out, clone(p))
	}
}

// tcpPacket builds a segment with plain flags.
func tcpPacket(tu Tuple, seq uint32, flags uint8, data string) *Packet {
	p := newBuf(len(data))
	copy(BuildTCP(p, tu, 64, 0, seq, 99, flags, 500, len(data)), data)
	p.FinishFull()
	return p
}

var (
	flow4 = randomTuple(rng(), 4, ProtoTCP)
	flow6 = randomTuple(rng(), 6, ProtoTCP)
)

// sizes returns the payload lengths.
func sizes(ps []*Packet) []int {
	var n []int
	for _, p := range ps {
		n = append(n, len(p.Payload()))
	}
	return n
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestCoalesceMerges(t *testing.T) {
	for _, tu := range []Tuple{flow4, flow6} {
		s := newSink(4, MaxLen+room)
		s.send(tcpPacket(tu, 1000, FlagACK, "aaaa"))
		s.send(tcpPacket(tu, 1004, FlagACK, "bbbb"))
		s.send(tcpPacket(tu, 1008, FlagACK, "cccc"))
		if len(s.out) != 0 {
			t.Fatal("emitted too early")
		}
		s.send(tcpPacket(tu, 1012, FlagACK|FlagPSH, "dd"))
		if len(s.out) != 1 {
			t.Fatalf("%d packets, want 1", len(s.out))
		}
		p := s.out[0]
		sound(t, p)
		want := GSOTCP4
		if tu.Family == 6 {
			want = GSOTCP6
		}
		if p.GSO != want || p.GSOSize != 4 || p.Csum != CsumPartial || p.TCPFlags != FlagACK|FlagPSH || p.Seq() != 1000 {
			t.Errorf("got %+v", p)
		}
		if string(p.Payload()) != "aaaabbbbccccdd" {
			t.Errorf("payload %s", p.Payload())
		}
		s.c.Flush()
		if len(s.out) != 1 {
			t.Error("emitted twice")
		}
	}
}

// Each case sends packets after a first "aaaa" at 1000; want is the payload
// length of what comes out.
func TestCoalesceBorders(t *testing.T) {
	at := func(seq uint32, flags uint8, data string) *Packet { return tcpPacket(flow4, seq, flags, data) }
	with := func(f func(p *Packet)) *Packet {
		p := at(1004, FlagACK, "bbbb")
		f(p)
		p.FinishFull()
		return p
	}
	tail := func(p *Packet) []*Packet { return []*Packet{p, at(1008, FlagACK, "cccc")} }
	for _, c := range []struct {
		name string
		in   []*Packet
		want []int
	}{
		{"in order", tail(at(1004, FlagACK, "bbbb")), []int{12}},
		{"gap", tail(at(1005, FlagACK, "bbbb")), []int{4, 4, 4}},
		{"again", tail(at(1000, FlagACK, "aaaa")), []int{4, 4, 4}},
		{"short closes", tail(at(1004, FlagACK, "bb")), []int{6, 4}},
		{"long opens anew", tail(at(1004, FlagACK, "bbbbb")), []int{4, 5, 4}},
		{"push closes", tail(at(1004, FlagACK|FlagPSH, "bbbb")), []int{8, 4}},
		{"fin closes", []*Packet{at(1004, FlagACK|FlagFIN, "bbbb")}, []int{8}},
		{"bare ack", tail(at(1004, FlagACK, "")), []int{4, 0, 4}},
		{"reset", tail(at(1004, FlagRST, "")), []int{4, 0, 4}},
		{"urgent", tail(at(1004, FlagACK|FlagURG, "bbbb")), []int{4, 4, 4}},
		{"congestion reduced", tail(at(1004, FlagACK|FlagCWR, "bbbb")), []int{4, 4, 4}},
		{"ece differs", tail(at(1004, FlagACK|FlagECE, "bbbb")), []int{4, 4, 4}},
		{"no ack", tail(at(1004, 0, "bbbb")), []int{4, 4, 4}},
		{"ttl", tail(with(func(p *Packet) { p.SetTTL(63) })), []int{4, 4, 4}},
		{"ce", tail(with(func(p *Packet) { p.SetTOS(3) })), []int{4, 4, 4}},
		{"df", tail(with(func(p *Packet) { p.SetDF(false) })), []int{4, 4, 4}},
		{"ack number", tail(with(func(p *Packet) { p.Buf[p.L4+11]++ })), []int{4, 4, 4}},
		{"window", tail(with(func(p *Packet) { p.Buf[p.L4+15]++ })), []int{4, 4, 4}},
		{"unverified", tail(with(func(p *Packet) {})), []int{4, 4, 4}},
	} {
		if c.name == "unverified" {
			c.in[0].Csum = CsumUnknown
		}
		s := newSink(4, MaxLen+room)
		s.send(at(1000, FlagACK, "aaaa"))
		for _, p := range c.in {
			s.send(p)
		}
		s.c.Flush()
		if got := sizes(s.out); !equalInts(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		for _, p := range s.out {
			sound(t, p)
		}
	}
}

func TestCoalesceOptions(t *testing.T) {
	stamp := func(seq uint32, ts byte) *Packet {
		p := newBuf(16)
		copy(BuildTCP(p, flow4, 64, 0, seq, 99, FlagACK, 500, 16), unhex("0101080a 00000000 00000000 61616161"))
		p.Buf[p.L4+12] = 8 << 4
		p.Buf[p.Data+7] = ts
		p.Finish()
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	s := newSink(4, MaxLen+room)
	for i, ts := range []byte{1, 1, 2} {
		p := stamp(uint32(1000+4*i), ts)
		p.Csum = CsumPartial
		s.send(p)
	}
	s.c.Flush()
	if got := sizes(s.out); !equalInts(got, []int{8, 4}) {
		t.Errorf("got %v", got)
	}
	for _, p := range s.out {
		sound(t, p)
	}
}

func TestCoalesceIdentification(t *testing.T) {
	for _, c := range []struct {
		df   bool
		id   uint16
		want []int
	}{{false, 101, []int{8}}, {false, 102, []int{4, 4}}, {true, 102, []int{8}}} {
		s := newSink(4, MaxLen+room)
		for i, id := range []uint16{100, c.id} {
			p := tcpPacket(flow4, uint32(1000+4*i), FlagACK, "aaaa")
			p.SetIPID(id)
			p.SetDF(c.df)
			s.send(p)
		}
		s.c.Flush()
		if got := sizes(s.out); !equalInts(got, c.want) {
			t.Errorf("df %v id %d: got %v, want %v", c.df, c.id, got, c.want)
		}
	}
}

func TestCoalesceFull(t *testing.T) {
	data := string(bytes.Repeat([]byte("x"), 1400))
	for _, c := range []struct {
		buf  int
		want []int
	}{{MaxLen + room, []int{46 * 1400, 4 * 1400}}, {10000, []int{9800, 9800, 9800, 9800, 9800, 9800, 9800, 1400}}} {
		s := newSink(1, c.buf)
		for i := range 50 {
			s.send(tcpPacket(flow4, uint32(1400*i), FlagACK, data))
		}
		s.c.Flush()
		if got := sizes(s.out); !equalInts(got, c.want) {
			t.Errorf("buffer %d: got %v, want %v", c.buf, got, c.want)
		}
	}
}

func TestCoalesceWithoutMemory(t *testing.T) {
	for _, s := range []*sink{newSink(0, 0), newSink(1, room+43)} {
		if s.c.Add(tcpPacket(flow4, 1, FlagACK, "aaaa")) {
			t.Error("took a packet without room for it")
		}
		s.c.Flush()
	}
}

// The same tuple on another interface (another tenant) is another flow.
func TestCoalesceInterfaces(t *testing.T) {
	s := newSink(4, MaxLen+room)
	for i := range 4 {
		p := tcpPacket(flow4, uint32(1000+i/2*4), FlagACK, "aaaa")
		p.If = uint16(i % 2)
		s.send(p)
	}
	s.c.Flush()
	if got := sizes(s.out); !equalInts(got, []int{8, 8}) || s.out[0].If == s.out[1].If {
		t.Errorf("got %v", got)
	}
}

func TestCoalesceManyFlows(t *testing.T) {
	r := rng()
	const flows, open = 40, 16
	s := newSink(open, MaxLen+room)
	tuples, sent := make([]Tuple, flows), make(map[Tuple][]byte)
	for i := range tuples {
		tuples[i] = randomTuple(r, uint8(4+2*(i&1)), ProtoTCP)
	}
	for range 5000 {
		tu := tuples[min(r.IntN(flows), r.IntN(flows))]
		flags := uint8(FlagACK)
		if r.IntN(10) == 0 {
			flags |= FlagPSH
		}
		data := "12345678"[:1+r.IntN(8)]
		s.send(tcpPacket(tu, uint32(len(sent[tu])), flags, data))
		sent[tu] = append(sent[tu], data...)
	}
	s.c.Flush()
	got := make(map[Tuple][]byte)
	for _, p := range s.out {
		sound(t, p)
		if p.Seq() != uint32(len(got[p.T])) {
			t.Fatal("out of order")
		}
		got[p.T] = append(got[p.T], p.Payload()...)
	}
	for tu, want := range sent {
		if !bytes.Equal(got[tu], want) {
			t.Fatalf("%v: bytes differ", tu)
		}
	}
	if len(s.out) >= 5000 {
		t.Error("nothing merged")
	}
}

func TestCoalesceUDP(t *testing.T) {
	udp := func(data string) *Packet {
		tu := flow4
		tu.Proto = ProtoUDP
		p := newBuf(len(data))
		copy(Build(p, tu, 64, 0, len(data)), data)
		p.FinishFull()
		return p
	}
	s := newSink(4, MaxLen+room)
	s.send(udp("aaaa"))
	s.send(udp("bbbb"))
	if len(s.out) != 2 {
		t.Fatal("merged UDP unasked")
	}
	s = newSink(4, MaxLen+room)
	s.c.UDP = true
	for _, d := range []string{"aaaa", "bbbb", "cc", "dddd", "eeeee", "ffff"} {
		s.send(udp(d))
	}
	s.c.Flush()
	if got := sizes(s.out); !equalInts(got, []int{10, 4, 9}) {
		t.Errorf("got %v", got)
	}
	if p := s.out[0]; p.GSO != GSOUDP || p.GSOSize != 4 || string(p.Payload()) != "aaaabbbbcc" {
		t.Errorf("got %+v", p)
	}
	for _, p := range s.out {
		sound(t, p)
	}
	zero := udp("gggg")
	be.PutUint16(zero.Buf[zero.L4+6:], 0)
	if s.c.Add(zero) {
		t.Error("took a datagram without checksum")
	}
}

// What is cut and merged again is what it was.
func TestSegmentThenCoalesce(t *testing.T) {
	for _, family := range []uint8{4, 6} {
		p := superPacket(rng(), family, ProtoTCP, 20000, 1400)
		p.Buf[p.L4+13] = FlagACK | FlagPSH
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		s := newSink(2, MaxLen+room)
		for _, seg := range cut(t, p, 1400) {
			s.send(seg)
		}
		if len(s.out) != 1 || !bytes.Equal(s.out[0].IP(), p.IP()) || s.out[0].GSO != p.GSO || s.out[0].GSOSize != p.GSOSize {
			t.Errorf("family %d: not the same again", family)
		}
	}
}
