package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

// cut returns all segments of p.
func cut(t *testing.T, p *Packet, max int) []*Packet {
	t.Helper()
	var s Segmenter
	if !s.Init(p, max) {
		t.Fatal("refused")
	}
	var out []*Packet
	for {
		dst := newBuf(segmentRoom(p, max))
		if !s.Next(dst) {
			break
		}
		out = append(out, dst)
	}
	if s.Left() != 0 {
		t.Fatalf("%d bytes left", s.Left())
	}
	return out
}

// segmentRoom is the payload room that a segment of p needs.
func segmentRoom(p *Packet, max int) int {
	if p.Kind == KindUDP {
		return p.Len()
	}
	return min(max, p.Len())
}

// join returns the payloads one behind the other.
func join(ps []*Packet) []byte {
	var b []byte
	for _, p := range ps {
		b = append(b, p.Payload()...)
	}
	return b
}

// superPacket is a TCP or UDP super-packet of n bytes.
func superPacket(r *rand.Rand, family, proto uint8, n, size int) *Packet {
	p := randomPacket(r, randomTuple(r, family, proto), n)
	p.Finish()
	p.GSO, p.GSOSize = GSOTCP4, uint16(size)
	if proto == ProtoUDP {
		p.GSO = GSOUDP
	} else if family == 6 {
		p.GSO = GSOTCP6
	}
	return p
}

func TestSegmenterTCP(t *testing.T) {
	r := rng()
	for i := range 300 {
		n := 1 + r.IntN(20000)
		size, max := 1+n/(1+r.IntN(40)), 1+n/(1+r.IntN(40))
		p := superPacket(r, uint8(4+2*(i&1)), ProtoTCP, n, size)
		if i%3 == 0 {
			p.GSO, p.GSOSize, size = GSONone, 0, n
		}
		data := bytes.Clone(p.Payload())
		segs := cut(t, p, max)
		if !bytes.Equal(join(segs), data) {
			t.Fatal("bytes differ")
		}
		seq := p.Seq()
		for k, s := range segs {
			checkSegment(t, p, s, k, len(segs), min(size, max))
			if s.Seq() != seq {
				t.Fatalf("segment %d: sequence %d, want %d", k, s.Seq(), seq)
			}
			seq += s.SegLen()
		}
		if seq != p.Seq()+p.SegLen() {
			t.Fatal("segments take other sequence numbers than the packet")
		}
	}
}

// checkSegment checks segment k of n against its source.
func checkSegment(t *testing.T, p, s *Packet, k, n, size int) {
	t.Helper()
	sound(t, s)
	last := k == n-1
	if s.Csum != CsumPartial || s.GSO != GSONone || s.GSOSize != 0 || s.If != p.If || s.Off != room {
		t.Fatalf("segment %d: %+v", k, s)
	}
	if got := len(s.Payload()); got > size || !last && got != size {
		t.Fatalf("segment %d of %d: %d bytes, want %d", k, n, got, size)
	}
	if s.TTL() != p.TTL() || s.TOS() != p.TOS() || !s.V6() && s.IPID() != p.IPID()+uint16(k) {
		t.Fatalf("segment %d: IP header differs", k)
	}
	if s.Ack() != p.Ack() || s.Window() != p.Window() {
		t.Fatalf("segment %d: TCP header differs", k)
	}
	want := p.TCPFlags
	if k > 0 {
		want &^= FlagSYN | FlagCWR
	}
	if !last {
		want &^= FlagFIN | FlagPSH | FlagRST
	}
	if s.TCPFlags&^FlagURG != want&^FlagURG {
		t.Fatalf("segment %d of %d: flags %x, want %x", k, n, s.TCPFlags, want)
	}
}

func TestSegmenterUrgent(t *testing.T) {
	p := superPacket(rng(), 4, ProtoTCP, 25, 10)
	h := p.Buf[p.L4:]
	h[13] = FlagACK | FlagURG
	be.PutUint16(h[18:], 12)
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	segs := cut(t, p, 100)
	for k, want := range []struct {
		flags uint8
		up    uint16
	}{{FlagACK | FlagURG, 12}, {FlagACK | FlagURG, 2}, {FlagACK, 0}} {
		s := segs[k]
		if got := be.Uint16(s.Buf[s.L4+18:]); s.TCPFlags != want.flags || got != want.up {
			t.Errorf("segment %d: flags %x pointer %d, want %x %d", k, s.TCPFlags, got, want.flags, want.up)
		}
	}
}

func TestSegmenterUDP(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		p := superPacket(r, family, ProtoUDP, 3500, 1000)
		data := bytes.Clone(p.Payload())
		segs := cut(t, p, 10) // max does not cut datagrams
		if len(segs) != 4 || !bytes.Equal(join(segs), data) {
			t.Fatalf("%d segments", len(segs))
		}
		for k, s := range segs {
			sound(t, s)
			if want := []int{1000, 1000, 1000, 500}[k]; len(s.Payload()) != want {
				t.Errorf("segment %d: %d bytes", k, len(s.Payload()))
			}
		}
		p.GSO, p.GSOSize = GSONone, 0
		if segs := cut(t, p, 10); len(segs) != 1 || !bytes.Equal(segs[0].Payload(), data) {
			t.Error("a plain datagram was cut")
		}
	}
}

func TestSegmenterEmpty(t *testing.T) {
	for _, proto := range []uint8{ProtoTCP, ProtoUDP} {
		p := randomPacket(rng(), randomTuple(rng(), 4, proto), 0)
		segs := cut(t, p, 1400)
		if len(segs) != 1 || len(segs[0].Payload()) != 0 {
			t.Fatalf("%d segments of an empty packet", len(segs))
		}
		sound(t, segs[0])
	}
}

func TestSegmenterRefuses(t *testing.T) {
	r := rng()
	bad := randomPacket(r, randomTuple(r, 4, ProtoTCP), 100)
	bad.CompleteCsum()
	bad.Csum = CsumUnknown
	bad.Buf[bad.End-1]++
	good := randomPacket(r, randomTuple(r, 4, ProtoTCP), 100)
	echo := randomPacket(r, randomTuple(r, 4, ProtoICMP), 100)
	for _, c := range []struct {
		name string
		p    *Packet
		max  int
	}{{"checksum", bad, 10}, {"max", good, 0}, {"kind", echo, 10}} {
		var s Segmenter
		if s.Init(c.p, c.max) || s.Next(newBuf(2000)) || s.Left() != 0 {
			t.Errorf("%s: cut", c.name)
		}
	}
	var s Segmenter
	s.Init(good, 60)
	if small := (&Packet{Buf: make([]byte, 90), Off: 10}); s.Next(small) || s.Left() != 100 {
		t.Error("wrote to a small buffer")
	}
	if !s.Next(newBuf(100)) || s.Left() != 40 {
		t.Error("did not go on")
	}
}
