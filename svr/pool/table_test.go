package pool

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"waymark/svr/packet"
)

func TestTableRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name   string
		k      Key
		a      Action
		slots  int
		proto  uint8
		failed error
	}{
		{"v4 to v4", key4(7), action(key4(7), 9, false), 1, 0, nil},
		{"v4 to v6", key4(8), action(key4(8), 9, true), 2, 0, nil},
		{"v6 to v4", key6(7), action(key6(7), 9, false), 2, 0, nil},
		{"v6 to v6", key6(8), action(key6(8), 9, true), 2, 0, nil},
		{"tcp to udp", key4(9), action(key4(9), 9, false), 1, packet.ProtoUDP, nil},
		{"udp to icmp6", key6(9), action(key6(9), 9, true), 2, packet.ProtoICMPv6, nil},
		{"udp to gre", key6(9), action(key6(9), 9, true), 2, 47, ErrForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTestTable(t, 16)
			if c.proto != 0 {
				c.a.To.Proto = c.proto
			}
			s, err := tab.Insert(c.k, c.a, 77)
			if !errors.Is(err, c.failed) {
				t.Fatalf("insert: got %v, want %v", err, c.failed)
			}
			if err != nil {
				return
			}
			if got := tab.Key(s); got != c.k {
				t.Errorf("key: got %+v, want %+v", got, c.k)
			}
			if got := tab.Action(s); got != c.a {
				t.Errorf("action: got %+v, want %+v", got, c.a)
			}
			if got, ok := tab.Lookup(&c.k); !ok || got != s || tab.Owner(s) != 77 {
				t.Errorf("lookup: got %d %v owner %d", got, ok, tab.Owner(s))
			}
			if _, err := tab.Insert(c.k, c.a, 1); !errors.Is(err, ErrExists) {
				t.Errorf("second insert: got %v, want ErrExists", err)
			}
			if got := tab.Stats(); got.Used != c.slots || got.Directions != 1 {
				t.Errorf("stats: got %+v, want %d slots", got, c.slots)
			}
			checkTable(t, tab)
		})
	}
}

func TestLookupTellsKeysApart(t *testing.T) {
	tab := newTestTable(t, 64)
	k := key4(1)
	if _, err := tab.Insert(k, action(k, 1, false), 0); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Key){
		"interface": func(k *Key) { k.If++ }, "protocol": func(k *Key) { k.Proto = 17 },
		"source": func(k *Key) { k.Src[3]++ }, "destination": func(k *Key) { k.Dst[0]++ },
		"source port": func(k *Key) { k.SrcPort++ }, "destination port": func(k *Key) { k.DstPort++ },
		"family": func(k *Key) { k.Family = 6 },
	} {
		o := k
		change(&o)
		if _, ok := tab.Lookup(&o); ok {
			t.Errorf("%s: another key was found", name)
		}
	}
}

func TestUpdateAndMove(t *testing.T) {
	tab := newTestTable(t, 16)
	k := key4(1)
	s, _ := tab.Insert(k, action(k, 1, false), 5)
	tab.Count(s, 3, 400, 9*second)
	tab.MarkTCP(s, 0x12)
	if err := tab.Update(s, action(k, 2, false)); err != nil || tab.Action(s) != action(k, 2, false) {
		t.Fatalf("update: got %v %+v", err, tab.Action(s))
	}
	if err := tab.Update(s, action(k, 2, true)); !errors.Is(err, ErrForm) {
		t.Fatalf("update of a single slot to IPv6: got %v, want ErrForm", err)
	}
	m, err := tab.Move(s, action(k, 3, true), 10*second)
	if err != nil || m == s {
		t.Fatalf("move: got %d %v", m, err)
	}
	if got, ok := tab.Lookup(&k); !ok || got != m || tab.Owner(m) != 5 || tab.Action(m) != action(k, 3, true) {
		t.Errorf("after move: got %d %v %+v", got, ok, tab.Action(m))
	}
	if p, b, _, f := tab.Counters(m); p != 3 || b != 400 || f != 0x12 {
		t.Errorf("counters after move: got %d %d %#x", p, b, f)
	}
	if err := tab.Update(m, action(k, 4, false)); err != nil || tab.Action(m) != action(k, 4, false) {
		t.Errorf("update of a pair to IPv4: got %v %+v", err, tab.Action(m))
	}
	if err := tab.Update(s, action(k, 4, false)); !errors.Is(err, ErrNoSlot) {
		t.Errorf("update of the old slot: got %v, want ErrNoSlot", err)
	}
	if _, err := tab.Move(s, action(k, 4, false), 10*second); !errors.Is(err, ErrNoSlot) {
		t.Errorf("move of the old slot: got %v, want ErrNoSlot", err)
	}
	tab.Remove(s, 10*second)
	checkTable(t, tab)
}

func TestCounters(t *testing.T) {
	tab, err := NewTable(nil, TableConfig{Slots: 4, Clock: 5000 * second})
	if err != nil {
		t.Fatal(err)
	}
	k := key4(1)
	s, _ := tab.Insert(k, action(k, 1, false), 0)
	if _, _, seen, _ := tab.Counters(s); seen != 0 {
		t.Errorf("last seen before any packet: got %d, want 0", seen)
	}
	tab.Count(s, 2, 3000, 7*second)
	tab.Count(s, 1, 60, 8*second)
	tab.MarkTCP(s, 2)
	tab.MarkTCP(s, 0x10)
	p, b, seen, flags := tab.Counters(s)
	if p != 3 || b != 3060 || flags != 0x12 {
		t.Errorf("got %d packets %d bytes flags %#x", p, b, flags)
	}
	if d := seen - 8*second; d < 0 || d > 1<<seenShift {
		t.Errorf("last seen: got %d ns after the packet", d)
	}
	tab.Remove(s, 9*second)
	tab.Advance(11 * second)
	s, _ = tab.Insert(k, action(k, 1, false), 0)
	if p, b, seen, flags := tab.Counters(s); p|b|uint64(seen)|uint64(flags) != 0 {
		t.Errorf("counters of a fresh slot: got %d %d %d %d", p, b, seen, flags)
	}
}

// TestRest: a removed slot comes back after a second and not before.
func TestRest(t *testing.T) {
	barriers := 0
	tab, err := NewTable(nil, TableConfig{Slots: 2, Barrier: func() { barriers++ }})
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := key4(1), key4(2), key4(3)
	s, _ := tab.Insert(a, action(a, 1, false), 0)
	if _, err := tab.Insert(b, action(b, 1, false), 0); err != nil {
		t.Fatal(err)
	}
	tab.Remove(s, 5*second)
	for _, now := range []int64{5 * second, 6*second - 1} {
		tab.Advance(now)
		if _, err := tab.Insert(c, action(c, 1, false), 0); !errors.Is(err, ErrFull) {
			t.Fatalf("insert at %d: got %v, want ErrFull", now, err)
		}
	}
	if barriers != 0 {
		t.Errorf("barriers before reuse: got %d", barriers)
	}
	tab.Advance(6*second + 3<<seenShift)
	if _, err := tab.Insert(c, action(c, 1, false), 0); err != nil || barriers != 1 {
		t.Errorf("insert after rest: got %v, %d barriers", err, barriers)
	}
	if got := tab.Stats(); got.Refused != 2 || got.Highest != 2 {
		t.Errorf("stats: got %+v", got)
	}
}

// TestFamiliesTakeTurns: a table used up by single slots can be used up by pairs
// after the sessions ended, and the other way round.
func TestFamiliesTakeTurns(t *testing.T) {
	tab := newTestTable(t, 256)
	now := second
	for round := range 3 {
		var slots []uint32
		for i := uint32(0); ; i++ {
			k := key4(i)
			if round%2 == 1 {
				k = key6(i)
			}
			s, err := tab.Insert(k, action(k, i, false), i)
			if err != nil {
				break
			}
			slots = append(slots, s)
		}
		if got, want := len(slots), 256>>(round%2); got != want {
			t.Fatalf("round %d: got %d directions, want %d", round, got, want)
		}
		newRand(uint64(round)).Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
		for _, s := range slots {
			tab.Remove(s, now)
		}
		for range 8 {
			now += 2 * second
			tab.Advance(now)
		}
		checkTable(t, tab)
	}
}

// TestTableAgainstModel compares a long random life with a map.
func TestTableAgainstModel(t *testing.T) {
	for _, slots := range []int{2, 8, 30, 500} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			tab, rnd := newTestTable(t, slots), newRand(uint64(slots))
			model, now := map[Key]uint32{}, second
			for step := range 20000 {
				now += rnd.Int64N(second / 50)
				n := rnd.Uint32N(uint32(slots) * 2)
				k := key4(n)
				if n%3 == 0 {
					k = key6(n)
				}
				modelStep(t, tab, model, k, rnd.Uint32(), now)
				if step%997 == 0 {
					checkTable(t, tab)
				}
			}
			seen := 0
			tab.ForEach(func(s uint32) bool {
				if got, ok := model[tab.Key(s)]; !ok || got != s {
					t.Errorf("ForEach: slot %d, model %d %v", s, got, ok)
				}
				seen++
				return true
			})
			if seen != len(model) {
				t.Errorf("ForEach: got %d directions, want %d", seen, len(model))
			}
			checkTable(t, tab)
		})
	}
}

func modelStep(t *testing.T, tab *Table, model map[Key]uint32, k Key, r uint32, now int64) {
	t.Helper()
	want, there := model[k]
	got, ok := tab.Lookup(&k)
	if ok != there || there && got != want {
		t.Fatalf("lookup: got %d %v, want %d %v", got, ok, want, there)
	}
	a := action(k, r>>8, r&1 == 1)
	switch {
	case !there:
		if s, err := tab.Insert(k, a, r); err == nil {
			model[k] = s
		} else if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	case r>>1&3 == 0:
		if s, err := tab.Move(got, a, now); err == nil {
			model[k] = s
		}
	case r>>1&3 == 1:
		_ = tab.Update(got, a)
	default:
		tab.Remove(got, now)
		delete(model, k)
	}
}

func TestScanInPieces(t *testing.T) {
	tab := newTestTable(t, 100)
	var want, got []uint32
	for i := range uint32(30) {
		k := key4(i)
		if i%2 == 0 {
			k = key6(i)
		}
		s, err := tab.Insert(k, action(k, i, false), i)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, s)
	}
	for from := uint32(0); int(from) < tab.Stats().Capacity; {
		from = tab.Scan(from, 7, func(s uint32) bool { got = append(got, s); return true })
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	calls := 0
	tab.ForEach(func(uint32) bool { calls++; return calls < 3 })
	if calls != 3 {
		t.Errorf("ForEach after false: got %d calls, want 3", calls)
	}
}

// TestNoKeyLost fills tables of several mixes to the brim: the index takes
// every direction that has a slot, and finds it.
func TestNoKeyLost(t *testing.T) {
	for _, c := range []struct {
		name  string
		slots int
		mix   uint32 // one of mix keys is IPv6; 0: none
	}{{"v4", 131072, 0}, {"v6", 131072, 1}, {"mixed", 131072, 3}, {"small", 8, 0}, {"1 M sessions", 2 << 20, 0}} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTestTable(t, c.slots)
			keyOf := func(i uint32) Key {
				if c.mix != 0 && i%c.mix == 0 {
					return key6(i)
				}
				return key4(i)
			}
			n := uint32(0)
			for ; ; n++ {
				k := keyOf(n)
				if _, err := tab.Insert(k, action(k, n, false), n); err != nil {
					break
				}
			}
			if st := tab.Stats(); st.Capacity-st.Used > 1 {
				t.Fatalf("index refused at %d of %d slots", st.Used, st.Capacity)
			}
			for i := range n {
				k := keyOf(i)
				if s, ok := tab.Lookup(&k); !ok || tab.Owner(s) != i {
					t.Fatalf("key %d of %d lost", i, n)
				}
			}
			t.Logf("%d directions, %d in the overflow index, %d displacements", n, len(checkIndex(t, tab)), tab.mem.load32(offMoves))
		})
	}
}

// TestWindow: at 60 % load 7 of 10 directions lie at home, nearly all in their
// window.
func TestWindow(t *testing.T) {
	const slots = 1 << 16
	tab := newTestTable(t, slots)
	n, home, direct := uint32(slots*6/10), 0, 0
	for i := range n {
		k := key4(i)
		s, err := tab.Insert(k, action(k, i, false), i)
		if err != nil {
			t.Fatal(err)
		}
		h := tab.hashAt(s)
		if tab.home(h) == s {
			home++
		}
		if tab.direct(h, s) {
			direct++
		}
	}
	t.Logf("%d directions, %d at home, %d in their window", n, home, direct)
	if home < int(n)*68/100 || direct < int(n)*97/100 {
		t.Errorf("of %d directions %d are at home, %d in their window", n, home, direct)
	}
}

// TestChurn lets sessions of both families come and go for long at loads of 60
// and 90 %: no insert is refused.
func TestChurn(t *testing.T) {
	for _, load := range []int{60, 90} {
		for mix := range uint32(4) { // of 4 keys so many are IPv6
			tab := newTestTable(t, 1<<14)
			live := churnAt(t, tab, load, mix)
			checkTable(t, tab)
			t.Logf("%d %%, %d of 4 IPv6: %d directions, %d in the overflow index", load, mix, live, len(checkIndex(t, tab)))
		}
	}
}

func churnAt(t *testing.T, tab *Table, load int, mix uint32) int {
	t.Helper()
	rnd, now := newRand(uint64(mix)), second
	var live []uint32
	for n := uint32(0); n < 10*tab.slots; n++ {
		for tab.Stats().Used > int(tab.slots)*load/100-2 {
			i := rnd.IntN(len(live))
			tab.Remove(live[i], now)
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		now += second / 100
		tab.Advance(now)
		k := key4(n)
		if n%4 < mix {
			k = key6(n)
		}
		s, err := tab.Insert(k, action(k, n, false), n)
		if err != nil {
			t.Fatalf("%d %%, %d of 4 IPv6, direction %d: %v, %+v", load, mix, n, err, tab.Stats())
		}
		live = append(live, s)
	}
	return len(live)
}

// TestMovesAreCounted: whenever a key comes to another bucket or slot, the
// word that tells readers so has changed.
func TestMovesAreCounted(t *testing.T) {
	tab := newTestTable(t, 600)
	tab.buckets, tab.window = 50, 0
	where := map[uint32]uintptr{}
	displaced := 0
	compare := func(moves uint32) {
		for o, before := range where {
			if at, ok := tab.place(tab.hashAt(o), o); !ok || at != before {
				where[o] = at
				displaced++
				if tab.mem.load32(offMoves) == moves {
					t.Fatalf("slot %d was displaced, nobody was told", o)
				}
			}
		}
	}
	for n := uint32(0); n < 390; n++ {
		moves := tab.mem.load32(offMoves)
		k := key4(n)
		s, err := tab.Insert(k, action(k, n, false), n)
		if err != nil {
			t.Fatalf("insert %d of 400: %v", n, err)
		}
		compare(moves)
		where[s], _ = tab.place(tab.hashAt(s), s)
		if n%10 != 0 {
			continue
		}
		moves = tab.mem.load32(offMoves)
		delete(where, s)
		to, err := tab.Move(s, action(k, n, false), second)
		if err != nil || tab.mem.load32(offMoves) == moves {
			t.Fatalf("move: %v, or nobody was told", err)
		}
		compare(moves)
		where[to], _ = tab.place(tab.hashAt(to), to)
	}
	if displaced == 0 {
		t.Error("nothing was displaced")
	}
	checkTable(t, tab)
}

func TestWrongSlotPanics(t *testing.T) {
	tab := newTestTable(t, 4)
	defer func() {
		if recover() == nil {
			t.Error("slot 4 of 4: no panic")
		}
	}()
	tab.Count(4, 1, 1, 1)
}
