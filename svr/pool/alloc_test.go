package pool

import (
	"encoding/binary"
	"testing"
)

// zeroAllocs fails when f allocates.
func zeroAllocs(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(500, f); n != 0 {
		t.Errorf("%s: got %v allocations, want 0", name, n)
	}
}

func TestTableAllocatesNothing(t *testing.T) {
	tab, now, n := newTestTable(t, 4096), second, uint32(0)
	zeroAllocs(t, "insert, use, remove", func() {
		n++
		now += second / 100
		tab.Advance(now)
		k4, k6 := key4(n), key6(n)
		a, err := tab.Insert(k4, action(k4, n, false), n)
		b, err2 := tab.Insert(k6, action(k6, n, true), n)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if s, ok := tab.Lookup(&k4); !ok || s != a || tab.Action(s).Hop != uint16(n) {
			t.Fatal("lookup")
		}
		tab.Count(a, 1, 100, now)
		tab.MarkTCP(a, 2)
		_, _, _, _ = tab.Counters(a)
		_ = tab.Update(a, action(k4, n+1, false))
		b, _ = tab.Move(b, action(k6, n+1, false), now)
		tab.ForEach(func(uint32) bool { return false })
		tab.Remove(a, now)
		tab.Remove(b, now)
	})
}

func TestWayportsAllocateNothing(t *testing.T) {
	w := NewWayports(1000, [16]byte{1})
	id, err := w.Add(PathwayConfig{})
	if err != nil {
		t.Fatal(err)
	}
	now := second
	zeroAllocs(t, "alloc, claim, free", func() {
		now += second / 10
		l, p, err := w.Alloc(id, now)
		if err != nil {
			t.Fatal(err)
		}
		w.Free(id, l, p, now, now, true)
		if !w.Claim(id, l, p, now) {
			t.Fatal("claim")
		}
		w.Free(id, l, p, now, now, false)
		w.Advance(now)
		_ = w.Stats(id)
	})
	zeroAllocs(t, "alloc with a full arena", func() {
		l, p, err := w.Alloc(id, now)
		if err != nil {
			t.Fatal(err)
		}
		w.Free(id, l, p, now, now, false)
	})
}

func TestNATAllocatesNothing(t *testing.T) {
	n := NewNAT(NATConfig{Mappings: 500})
	now, i := second, uint32(0)
	zeroAllocs(t, "acquire and release", func() {
		i++
		now += second / 100
		var src [16]byte
		binary.BigEndian.PutUint32(src[:], i)
		taken := uint16(0)
		port, err := n.Acquire(now, 1, 6, src, 1000, func(p uint16) bool { taken = p; return false })
		if err != nil || taken != port {
			t.Fatal(err, taken, port)
		}
		_, _, _ = n.LookupExternal(1, 6, port)
		n.Release(now, 1, 6, src, 1000, port)
	})
}

func TestWheelAndIndexAllocateNothing(t *testing.T) {
	w, h, now := NewWheel(100, second), NewHashIndex(100), second
	fired := 0
	zeroAllocs(t, "schedule, advance, index", func() {
		now += second
		w.Schedule(3, now+second/2)
		w.Schedule(4, now+100*second)
		h.Add(uint64(now)*0x9e3779b97f4a7c15, 3)
		h.Each(uint64(now)*0x9e3779b97f4a7c15, func(uint32) bool { fired++; return true })
		h.Remove(uint64(now)*0x9e3779b97f4a7c15, 3)
		w.Advance(now+second, func(uint32) { fired++ })
		w.Cancel(4)
	})
}
