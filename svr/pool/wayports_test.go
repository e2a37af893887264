package pool

import (
	"errors"
	"fmt"
	"testing"
)

// pair is a wayport pair of a pathway in a test's own books.
type pair struct{ id, local, peer uint16 }

func newTestWayports(t testing.TB, nodes int, cfgs ...PathwayConfig) *Wayports {
	t.Helper()
	w := NewWayports(nodes, [16]byte{42})
	for i, c := range cfgs {
		if id, err := w.Add(c); err != nil || int(id) != i {
			t.Fatalf("add: got %d %v", id, err)
		}
	}
	return w
}

// TestPairCounts: docs/wire.md 8.
func TestPairCounts(t *testing.T) {
	for _, c := range []struct {
		cfg  PathwayConfig
		want int
	}{
		{PathwayConfig{}, 603_881_476},
		{PathwayConfig{Peer: []Range{{20000, 20009}}}, 122_870},
		{PathwayConfig{Peer: []Range{{20000, 20999}}}, 24_574 * 500},
		{PathwayConfig{Peer: []Range{{16385, 65533}}}, 24_574 * 24_575},
		{PathwayConfig{Local: []Range{{1279, 1282}}, Peer: []Range{{1281, 1285}}}, 2},
		{PathwayConfig{Local: []Range{{0, 65535}}, Peer: []Range{{0, 65535}}}, 32_766 * 32_767},
		{PathwayConfig{Local: []Range{{3, 6}, {20, 20}, {8, 9}}, Peer: []Range{{7, 7}}}, 4},
	} {
		w := newTestWayports(t, 1, c.cfg)
		if got := w.Stats(0); got.Free != c.want || got.Pairs != c.want || got.InUse != 0 || got.Resting != 0 {
			t.Errorf("%+v: got %+v, want %d free", c.cfg, got, c.want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	w := NewWayports(1, [16]byte{})
	for name, c := range map[string]PathwayConfig{
		"reversed": {Local: []Range{{9, 8}}}, "no even": {Local: []Range{{9, 9}}}, "no odd": {Peer: []Range{{8, 8}}},
		"only 1280": {Local: []Range{{1280, 1281}}}, "overlap": {Peer: []Range{{2000, 2100}, {2100, 2200}}},
	} {
		if _, err := w.Add(c); !errors.Is(err, ErrRange) {
			t.Errorf("%s: got %v, want ErrRange", name, err)
		}
	}
	if _, _, err := w.Alloc(0, 1); !errors.Is(err, ErrPathway) {
		t.Errorf("alloc without pathway: got %v, want ErrPathway", err)
	}
	if w.Claim(0, 2, 3, 1) || w.Free(0, 2, 3, 1, 1, false) {
		t.Error("claim and free without pathway: want false")
	}
}

// TestMoreThan120000: row 7: a 10-port peer range carries all its pairs at once.
func TestMoreThan120000(t *testing.T) {
	w := newTestWayports(t, 130_000, PathwayConfig{Peer: []Range{{20000, 20009}}, Max: 1_000_000})
	live := map[pair]bool{}
	for {
		l, p, err := w.Alloc(0, second)
		if err != nil {
			if !errors.Is(err, ErrResting) {
				t.Errorf("got %v, want ErrResting", err)
			}
			break
		}
		if l%2 != 0 || p%2 != 1 || p < 20000 || p > 20009 || l < 16385 || l > 65533 || live[pair{0, l, p}] {
			t.Fatalf("pair %d/%d: wrong or twice", l, p)
		}
		live[pair{0, l, p}] = true
	}
	if got := w.Stats(0); len(live) != 122_870 || got.InUse != 122_870 || got.Free != 0 || got.Refused != 1 {
		t.Errorf("got %d pairs, %+v", len(live), got)
	}
}

func TestMaxWayPoints(t *testing.T) {
	w := newTestWayports(t, 60_000, PathwayConfig{}, PathwayConfig{Max: 2})
	for id, want := range []int{DefaultMaxWaypoints, 2} {
		n, err := 0, error(nil)
		for ; err == nil; n++ {
			_, _, err = w.Alloc(uint16(id), second)
		}
		if n-1 != want || !errors.Is(err, ErrMax) {
			t.Errorf("pathway %d: got %d pairs and %v, want %d and ErrMax", id, n-1, err, want)
		}
	}
	if used, capacity := w.Capacity(); used != 50_002 || capacity != 60_000 {
		t.Errorf("arena: got %d of %d", used, capacity)
	}
}

// TestRestTimes: 60 s after the last packet, 10 s when TCP was closed.
func TestRestTimes(t *testing.T) {
	const free, last = 100 * second, 95 * second
	for _, c := range []struct {
		name   string
		last   int64
		closed bool
		want   int64
	}{
		{"60 s", last, false, last + 60*second}, {"10 s closed", last, true, last + 10*second},
		{"no packet", 0, false, free + 60*second}, {"future packet", free + second, true, free + 10*second},
		{"long idle", free - 70*second, false, free},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTestWayports(t, 8, PathwayConfig{Local: []Range{{2000, 2000}}, Peer: []Range{{2001, 2001}}})
			l, p, err := w.Alloc(0, last)
			if err != nil || l != 2000 || p != 2001 {
				t.Fatalf("got %d %d %v", l, p, err)
			}
			if !w.Free(0, l, p, c.last, free, c.closed) {
				t.Fatal("free: got false")
			}
			if c.want > free {
				if _, _, err := w.Alloc(0, c.want-1); !errors.Is(err, ErrResting) {
					t.Errorf("1 ns before the end of the rest: got %v, want ErrResting", err)
				}
				if got := w.Stats(0); got.Resting != 1 || got.Free != 0 || got.Refused != 1 {
					t.Errorf("resting: got %+v", got)
				}
			}
			if _, _, err := w.Alloc(0, c.want+1<<restShift); err != nil {
				t.Errorf("after the rest: got %v", err)
			}
		})
	}
}

func TestFreeOfUnknownPair(t *testing.T) {
	w := newTestWayports(t, 8, PathwayConfig{})
	l, p, _ := w.Alloc(0, second)
	for _, c := range []struct {
		l, p uint16
		want bool
	}{{l, p + 2, false}, {l, p, true}, {l, p, false}} {
		if got := w.Free(0, c.l, c.p, second, second, false); got != c.want {
			t.Errorf("free %d/%d: got %v, want %v", c.l, c.p, got, c.want)
		}
	}
	if got := w.Stats(0); got.Unknown != 2 || got.InUse != 0 || got.Resting != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestClaim(t *testing.T) {
	small := PathwayConfig{Local: []Range{{2000, 2003}}, Peer: []Range{{2001, 2003}}, Max: 1}
	w := newTestWayports(t, 8, small)
	for _, c := range []struct {
		name        string
		local, peer uint16
		want        bool
	}{
		{"fresh", 2000, 2001, true}, {"live", 2000, 2001, false}, {"beyond max", 2002, 2003, true},
		{"outside", 2004, 2001, false}, {"wrong parity", 2001, 2001, false}, {"even peer", 2000, 2002, false},
	} {
		if got := w.Claim(0, c.local, c.peer, second); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	w.Free(0, 2000, 2001, second, second, false)
	if !w.Claim(0, 2000, 2001, 2*second) {
		t.Error("claim of a resting pair: got false")
	}
	if got := w.Stats(0); got.InUse != 2 || got.Resting != 0 || got.Highest != 2 {
		t.Errorf("got %+v", got)
	}
	w.Free(0, 2000, 2001, 3*second, 3*second, false)
	w.Advance(70 * second)
	if !w.Claim(0, 2000, 2001, 70*second) {
		t.Error("claim of a rested pair: got false")
	}
	w.Advance(200 * second)
	if used, _ := w.Capacity(); used > 3 {
		t.Errorf("arena: got %d nodes for 2 pairs and a ghost", used)
	}
	if _, _, err := w.Alloc(0, 200*second); !errors.Is(err, ErrMax) {
		t.Errorf("alloc beyond max: got %v, want ErrMax", err)
	}
}

// TestArenaFull: live pairs stay, rested ones go first, then resting ones.
func TestArenaFull(t *testing.T) {
	w := newTestWayports(t, 10, PathwayConfig{}, PathwayConfig{}, PathwayConfig{})
	var got [3][]pair
	for i := range 9 {
		l, p, err := w.Alloc(uint16(i%3), second)
		if err != nil {
			t.Fatal(err)
		}
		got[i%3] = append(got[i%3], pair{uint16(i % 3), l, p})
	}
	for _, q := range got[1] {
		w.Free(q.id, q.local, q.peer, 2*second, 2*second, false)
	}
	for i := range 4 {
		if _, _, err := w.Alloc(2, 3*second); err != nil {
			t.Fatalf("alloc %d: %v", i, err)
		}
	}
	if _, _, err := w.Alloc(2, 3*second); !errors.Is(err, ErrArena) {
		t.Errorf("all live: got %v, want ErrArena", err)
	}
	if s := w.Stats(1); s.Forgotten != 3 || s.Resting != 0 {
		t.Errorf("pathway 1: got %+v", s)
	}
	if s := w.Stats(0); s.InUse != 3 || s.Forgotten != 0 {
		t.Errorf("pathway 0: got %+v", s)
	}
}

// TestNewWalk: pairs that were forgotten come back in the next walk, once they
// rested.
func TestNewWalk(t *testing.T) {
	w := newTestWayports(t, 3, PathwayConfig{Local: []Range{{2000, 2003}}, Peer: []Range{{2001, 2003}}})
	for range 2 {
		l, p, _ := w.Alloc(0, second)
		w.Free(0, l, p, second, second, false)
	}
	for i := range 2 { // the second forgets one of the first two
		if _, _, err := w.Alloc(0, 2*second); err != nil {
			t.Fatalf("alloc %d: %v", i, err)
		}
	}
	w.Advance(61*second + 1<<seenShift)
	if _, _, err := w.Alloc(0, 61*second+1<<seenShift); err != nil {
		t.Fatalf("of the rested pair: %v", err)
	}
	if _, _, err := w.Alloc(0, 61*second+1<<seenShift); !errors.Is(err, ErrResting) {
		t.Fatalf("of the forgotten pair before its time: got %v, want ErrResting", err)
	}
	if got := w.Stats(0); got.Free != 1 || got.Forgotten != 1 {
		t.Errorf("got %+v", got)
	}
	if _, _, err := w.Alloc(0, 63*second); !errors.Is(err, ErrArena) {
		t.Errorf("a fourth live pair in three nodes: got %v, want ErrArena", err)
	}
}

// TestForgottenComesBack: a pathway that lost nearly all its nodes to another
// one gets every pair back.
func TestForgottenComesBack(t *testing.T) {
	small := PathwayConfig{Local: []Range{{2000, 2019}}, Peer: []Range{{3000, 3009}}}
	w := newTestWayports(t, 50, small, PathwayConfig{})
	for _, c := range []struct {
		id uint16
		n  int
	}{{0, 50}, {1, 45}} {
		var got []pair
		for range c.n {
			l, p, err := w.Alloc(c.id, second)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, pair{c.id, l, p})
		}
		for _, q := range got {
			w.Free(q.id, q.local, q.peer, second, second, false)
		}
	}
	if got := w.Stats(0); got.Forgotten != 45 || got.Free != 45 {
		t.Errorf("got %+v", got)
	}
	seen := map[pair]bool{}
	for i := range 50 {
		l, p, err := w.Alloc(0, 200*second)
		if err != nil || seen[pair{0, l, p}] {
			t.Fatalf("alloc %d: got %d/%d %v", i, l, p, err)
		}
		seen[pair{0, l, p}] = true
	}
}

func TestRetire(t *testing.T) {
	w := newTestWayports(t, 10, PathwayConfig{}, PathwayConfig{})
	l, p, _ := w.Alloc(0, second)
	w.Retire(0)
	if _, _, err := w.Alloc(0, second); !errors.Is(err, ErrPathway) {
		t.Errorf("alloc of a retired pathway: got %v, want ErrPathway", err)
	}
	if id, _ := w.Add(PathwayConfig{}); id != 2 {
		t.Errorf("id while a pair is live: got %d, want 2", id)
	}
	if !w.Free(0, l, p, second, second, false) {
		t.Error("free of a retired pathway's pair: got false")
	}
	if id, _ := w.Add(PathwayConfig{}); id != 3 {
		t.Errorf("id while a pair rests: got %d, want 3", id)
	}
	w.Advance(100 * second)
	if id, err := w.Add(PathwayConfig{}); id != 0 || err != nil {
		t.Errorf("id afterwards: got %d %v, want 0", id, err)
	}
	if used, _ := w.Capacity(); used != 0 {
		t.Errorf("arena: got %d, want 0", used)
	}
}

// book checks the promise: no pair twice alive, none before its rest is over.
type book struct {
	t     *testing.T
	live  map[pair]bool
	until map[pair]int64
	order []pair
}

func newBook(t *testing.T) *book {
	return &book{t: t, live: map[pair]bool{}, until: map[pair]int64{}}
}

func (b *book) alloc(q pair, now int64) {
	if b.live[q] || b.until[q] > now {
		b.t.Fatalf("pair %v at %d: live %v, rests until %d", q, now, b.live[q], b.until[q])
	}
	b.live[q] = true
	b.order = append(b.order, q)
}

func (b *book) take(i int) pair {
	q := b.order[i]
	b.order[i] = b.order[len(b.order)-1]
	b.order = b.order[:len(b.order)-1]
	delete(b.live, q)
	return q
}

// TestWayportsAgainstModel: long random lives of small and large pathways over
// arenas that are ample, tight and far too small.
func TestWayportsAgainstModel(t *testing.T) {
	small := PathwayConfig{Local: []Range{{2000, 2019}}, Peer: []Range{{3000, 3009}}}
	for _, nodes := range []int{5, 40, 60, 120, 1000} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			w := newTestWayports(t, nodes, small, small, PathwayConfig{}, PathwayConfig{Local: []Range{{4, 4}}, Peer: []Range{{5, 5}}})
			b, rnd, now := newBook(t), newRand(uint64(nodes)), second
			granted := 0
			for range 200_000 {
				now += rnd.Int64N(second)
				id := uint16(rnd.IntN(4))
				switch op := rnd.IntN(20); {
				case op == 0:
					q := pair{id, uint16(2000 + rnd.IntN(10)*2), uint16(3001 + rnd.IntN(5)*2)}
					if id < 2 && w.Claim(q.id, q.local, q.peer, now) {
						b.until[q] = 0
						b.alloc(q, now)
					}
				case op < 10:
					if l, p, err := w.Alloc(id, now); err == nil {
						b.alloc(pair{id, l, p}, now)
						granted++
					}
				case len(b.order) > 0:
					last, closed := now-rnd.Int64N(20*second), rnd.IntN(2) == 0
					q := b.take(rnd.IntN(len(b.order)))
					if !w.Free(q.id, q.local, q.peer, last, now, closed) {
						t.Fatalf("free %v: got false", q)
					}
					if b.until[q] = last + RestTime; closed {
						b.until[q] = last + RestTimeClosed
					}
				}
			}
			checkArena(t, w, len(b.live))
			t.Logf("%d granted, stats %+v", granted, w.Stats(0))
		})
	}
}

// checkArena: every used node is in the hash or a ghost in a queue.
func checkArena(t *testing.T, w *Wayports, live int) {
	t.Helper()
	states, found := [5]int{}, 0
	for i := range w.arena.virgin {
		n := &w.arena.nodes[i]
		states[n.state()]++
		if n.state() != nodeFree && n.state() != nodeGhost && w.arena.find(n.path, n.local, n.peer) == i {
			found++
		}
	}
	used := states[nodeLive] + states[nodeRest] + states[nodeDone] + states[nodeGhost]
	if used != w.arena.used || found != used-states[nodeGhost] || states[nodeLive] != live {
		t.Errorf("states %v, %d found, %d used, %d live", states, found, w.arena.used, live)
	}
	resting := 0
	for id := range w.paths {
		resting += w.paths[id].resting
	}
	if resting != states[nodeRest] {
		t.Errorf("resting: got %d, want %d", resting, states[nodeRest])
	}
}

// TestTenMillionCycles: row 7. 1,000 sessions stand at any time; each cycle
// frees one and makes another, 2,000 a second by the test's clock, in a pathway
// of 122,870 pairs that is walked through, so that every way of allocating runs.
func TestTenMillionCycles(t *testing.T) {
	const peers, cycles, standing = 5, 10_000_000, 1000
	w := newTestWayports(t, 130_000, PathwayConfig{Peer: []Range{{20000, 20009}}, Max: 1_000_000})
	until := make([]int64, 32768*peers) // by pair; live: 1<<62
	slot := func(l, p uint16) *int64 { return &until[int(l/2)*peers+int(p-20001)/2] }
	var ring [standing]pair
	now := second
	for i := range cycles {
		now += second / 2000
		q := &ring[i%standing]
		if i >= standing {
			closed := i%3 != 0
			*slot(q.local, q.peer) = now + RestTime
			if closed {
				*slot(q.local, q.peer) = now + RestTimeClosed
			}
			if !w.Free(0, q.local, q.peer, now, now, closed) {
				t.Fatalf("cycle %d: free failed", i)
			}
		}
		l, p, err := w.Alloc(0, now)
		if err != nil || *slot(l, p) > now {
			t.Fatalf("cycle %d: got %d/%d %v, not before %d, now %d", i, l, p, err, *slot(l, p), now)
		}
		*slot(l, p) = 1 << 62
		*q = pair{0, l, p}
	}
	if s := w.Stats(0); s.InUse != standing || s.Refused != 0 || s.Highest != standing {
		t.Errorf("got %+v", s)
	}
}
