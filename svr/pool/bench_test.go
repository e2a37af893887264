package pool

import (
	"fmt"
	"testing"
)

func BenchmarkLookup(b *testing.B) {
	for _, slots := range []int{1024, 131072, 2 << 20} {
		b.Run(fmt.Sprint(slots), func(b *testing.B) {
			tab := newTestTable(b, slots)
			n := uint32(slots / 10 * 9)
			for i := range n {
				k := key4(i)
				if _, err := tab.Insert(k, action(k, i, false), i); err != nil {
					b.Fatal(err)
				}
			}
			var a Action
			i := uint32(1)
			b.ResetTimer()
			for range b.N {
				i = i*1664525 + 1013904223
				k := key4(uint32(uint64(i) * uint64(n) >> 32))
				s, ok := tab.Lookup(&k)
				if !ok {
					b.Fatal("lost")
				}
				a = tab.Action(s)
				tab.Count(s, 1, 64, int64(i))
			}
			_ = a
		})
	}
}

func BenchmarkInsertRemove(b *testing.B) {
	tab := newTestTable(b, 131072)
	for i := range uint32(100_000) {
		k := key4(i)
		if _, err := tab.Insert(k, action(k, i, false), i); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for i := range b.N {
		now := second + int64(i)*second/1000
		k := key4(200_000 + uint32(i)%50_000)
		s, err := tab.Insert(k, action(k, 1, false), 1)
		if err != nil {
			b.Fatal(err)
		}
		tab.Remove(s, now)
		tab.Advance(now)
	}
}

// BenchmarkWayports is a cycle of Alloc and Free, at several sizes of pathway
// and numbers of standing sessions: O(1) means equal figures, but for cache
// misses.
func BenchmarkWayports(b *testing.B) {
	for _, c := range []struct {
		name     string
		cfg      PathwayConfig
		standing int
	}{
		{"default-1000", PathwayConfig{Max: 1 << 20}, 1000},
		{"default-60000", PathwayConfig{Max: 1 << 20}, 60_000},
		{"10 ports-1000", PathwayConfig{Max: 1 << 20, Peer: []Range{{20000, 20009}}}, 1000},
		{"10 ports-60000", PathwayConfig{Max: 1 << 20, Peer: []Range{{20000, 20009}}}, 60_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newTestWayports(b, 131072, c.cfg)
			ring, now := make([]pair, c.standing), second
			b.ReportAllocs()
			for i := range b.N {
				now += second / 800
				q := &ring[i%c.standing]
				if q.peer != 0 {
					w.Free(0, q.local, q.peer, now, now, i%2 == 0)
				}
				l, p, err := w.Alloc(0, now)
				if err != nil {
					b.Fatal(err)
				}
				*q = pair{0, l, p}
			}
		})
	}
}

func BenchmarkNAT(b *testing.B) {
	n := NewNAT(NATConfig{Mappings: 20_000})
	for i := range uint32(7000) {
		_, _ = n.Acquire(second, 1, 6, inner(i), 1, nil)
	}
	b.ReportAllocs()
	for i := range b.N {
		now := second + int64(i)*second/10
		src := inner(10000 + uint32(i)%5000)
		p, err := n.Acquire(now, 1, 6, src, 1, func(uint16) bool { return false })
		if err != nil {
			b.Fatal(err)
		}
		n.Release(now, 1, 6, src, 1, p)
	}
}

func BenchmarkWheel(b *testing.B) {
	w, now := NewWheel(65536, 0), int64(0)
	b.ReportAllocs()
	for i := range b.N {
		now += WheelTick / 1000
		w.Schedule(uint32(i)%65536, now+int64(i%1800)*second)
		w.Advance(now, func(uint32) {})
	}
}
