package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

func TestInsertAndRemove(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		p.VerifyL4()
		before, data, end := full(p), bytes.Clone(p.Payload()), p.End
		n := r.IntN(room + 1)
		meta := p.InsertData(n)
		if len(meta) != n || cap(meta) != n {
			t.Fatalf("%d bytes opened, want %d", len(meta), n)
		}
		for i := range meta {
			meta[i] = byte(i)
		}
		p.Finish()
		sound(t, p)
		if p.End != end {
			t.Fatal("data moved")
		}
		if !bytes.Equal(p.Payload(), append(bytes.Clone(meta), data...)) {
			t.Fatal("metadata is not before the data")
		}
		p.RemoveData(n)
		p.Finish()
		sound(t, p)
		if !bytes.Equal(full(p), before) {
			t.Fatal("not back to what it was")
		}
	})
}

func TestInsertWithoutRoom(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 9)
	before := bytes.Clone(p.Buf)
	if p.InsertData(room+1) != nil || p.InsertData(-1) != nil || p.Extend(p.Tailroom()+1) != nil || p.Extend(-1) != nil {
		t.Error("room from nowhere")
	}
	if !bytes.Equal(before, p.Buf) {
		t.Error("bytes changed")
	}
	if b := p.InsertData(0); b == nil || len(b) != 0 {
		t.Error("no room for nothing")
	}
}

func TestExtendAndTrim(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		before, data := full(p), bytes.Clone(p.Payload())
		n := r.IntN(room + 1)
		more := p.Extend(n)
		if len(more) != n || cap(more) != n {
			t.Fatalf("%d bytes, want %d", len(more), n)
		}
		for i := range more {
			more[i] = byte(i)
		}
		p.FinishFull()
		sound(t, p)
		if !bytes.Equal(p.Payload(), append(data, more...)) {
			t.Fatal("data is not before the extension")
		}
		p.Trim(n)
		p.FinishFull()
		sound(t, p)
		if !bytes.Equal(p.IP(), before) {
			t.Fatal("not back to what it was")
		}
	})
}

func TestRemoveAndTrimStopAtTheHeader(t *testing.T) {
	r := rng()
	for _, cut := range []func(*Packet){
		func(p *Packet) { p.Trim(1000) },
		func(p *Packet) { p.RemoveData(1000) },
	} {
		p := randomPacket(r, randomTuple(r, 6, ProtoUDP), 9)
		cut(p)
		p.Finish()
		sound(t, p)
		if p.Len() != 48 {
			t.Errorf("length %d, want 48", p.Len())
		}
		p.Trim(-1)
		p.RemoveData(-1)
		if p.Len() != 48 {
			t.Errorf("length %d after negative cuts", p.Len())
		}
	}
}

// Super-packets keep the pseudo-header sum over their whole length.
func TestFinishSuperPacket(t *testing.T) {
	r := rng()
	p := randomPacket(r, randomTuple(r, 6, ProtoTCP), 30000)
	p.GSO, p.GSOSize = GSOTCP6, 1400
	p.FinishFull()
	if p.Csum != CsumPartial {
		t.Errorf("state %d", p.Csum)
	}
	sound(t, p)
}

func TestNoLongerThanIP(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		tu, p := randomTuple(r, family, ProtoUDP), newBuf(MaxLen)
		head := 28
		if family == 6 {
			head = 8
		}
		Build(p, tu, 64, 0, MaxLen-head-1)
		if p.InsertData(2) != nil || p.Extend(2) != nil {
			t.Error("longer than a length field")
		}
		if p.InsertData(1) == nil {
			t.Error("the longest packet refused")
		}
		p.Finish()
		sound(t, p)
	}
}

func TestCopyTo(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		dst := &Packet{Buf: make([]byte, p.Len()+r.IntN(9)), Off: 0}
		if !p.CopyTo(dst) {
			t.Fatal("refused")
		}
		sound(t, dst)
		if dst.Off != 0 || dst.Csum != p.Csum || dst.If != p.If || !bytes.Equal(dst.IP(), p.IP()) {
			t.Fatal("not a copy")
		}
		if small := (&Packet{Buf: make([]byte, p.Len()), Off: 1}); p.CopyTo(small) {
			t.Fatal("wrote to a small buffer")
		}
	})
}
