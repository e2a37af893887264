package pool

import "testing"

// TestPrefetch: asking beforehand changes nothing, whatever is asked for, and allocates
// nothing.
func TestPrefetch(t *testing.T) {
	tab := newTestTable(t, 64)
	k4, k6 := key4(1), key6(2)
	s4, err := tab.Insert(k4, action(k4, 1, false), 1)
	s6, err2 := tab.Insert(k6, action(k6, 2, true), 2)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	index := NewHashIndex(7)
	zeroAllocs(t, "prefetch", func() {
		for n := range uint32(50) {
			a, b := key4(n), key6(n)
			tab.Prefetch(&a)
			tab.Prefetch(&b)
			index.Prefetch(^uint64(0) >> n)
		}
		for _, s := range []uint32{s4, s6, 0, tab.slots - 1, tab.slots, none} {
			tab.PrefetchSlot(s)
		}
	})
	for k, want := range map[Key]uint32{k4: s4, k6: s6} {
		if got, ok := tab.Lookup(&k); !ok || got != want {
			t.Errorf("%v: slot %d, %v; want %d", k, got, ok, want)
		}
	}
}

// TestPeek: that pairs are found ahead of time changes nothing of their order, over
// several walks and over a pathway that follows another.
func TestPeek(t *testing.T) {
	cfg := PathwayConfig{Local: []Range{{2000, 2019}}, Peer: []Range{{3000, 3009}}, Max: 100}
	one, other := newTestWayports(t, 20, cfg), newTestWayports(t, 20, cfg)
	peeked, now := 0, second
	for n := range 400 {
		if n == 250 {
			for _, w := range []*Wayports{one, other} {
				w.Retire(0)
				if id, err := w.Add(cfg); id != 0 || err != nil {
					t.Fatal(id, err)
				}
			}
		}
		now += second
		if one.paths[0].next.place != 0 {
			peeked++
		}
		// Of a walk before, wrong.
		other.paths[0].next = nextPair{other.paths[0].counter + 1, other.paths[0].cycle - 1, 1, 1}
		l, p, err := one.Alloc(0, now)
		l2, p2, err2 := other.Alloc(0, now)
		if err != nil || err2 != nil || l != l2 || p != p2 {
			t.Fatalf("pair %d: %d %d %v, by itself %d %d %v", n, l, p, err, l2, p2, err2)
		}
		for _, w := range []*Wayports{one, other} {
			if !w.Free(0, l, p, now, now, true) {
				t.Fatalf("pair %d was not live", n)
			}
			if n%250 == 249 {
				now += int64(RestTime)
			}
			w.Advance(now)
		}
	}
	if one.paths[0].cycle < 2 || peeked < 300 {
		t.Errorf("%d walks, %d pairs ahead of time: the test sees little", one.paths[0].cycle, peeked)
	}
}
