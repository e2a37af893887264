package pool

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// tortureAction is an action whose fields all follow from n, so that a reader
// sees a mixture of two.
func tortureAction(k Key, n uint32) Action {
	a := action(k, n&0xff, n&1 == 1)
	a.Hop, a.Flags = uint16(n), uint16(n)
	a.To.SrcPort = keyMark(k)
	return a
}

// keyMark ties an action to its key.
func keyMark(k Key) uint16 {
	return uint16(k.Src[2])<<8 ^ uint16(k.Src[15])<<8 ^ uint16(k.Src[3]) ^ uint16(k.Src[14])
}

func whole(k Key, a Action) bool {
	return a.Hop == a.Flags && a.To.SrcPort == keyMark(k) &&
		a.To.DstPort == a.Hop&0xff|1 && (a.To.Family == 6) == (a.Hop&1 == 1)
}

// TestTorture: one writer inserts, updates, moves and removes with slots reused
// as fast as the rest allows (its clock runs), while readers look up. Directions
// that are never removed are never missed, whatever is displaced or moved, and
// no reader sees two sessions in one.
func TestTorture(t *testing.T) {
	for _, window := range []uint32{windowSize, 1, 0} { // more and more in the overflow index
		t.Run(fmt.Sprint(window), func(t *testing.T) { torture(t, window) })
	}
}

func torture(t *testing.T, window uint32) {
	tab := newTestTable(t, 1200)
	tab.window, tab.buckets = window, 68 // 544 entries for 400 to 530 directions
	const stable = 400
	for i := range uint32(stable) {
		k := key4(i)
		if _, err := tab.Insert(k, tortureAction(k, i), i); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for r := range uint64(2) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			tortureRead(t, tab, stable, r, &stop)
		}()
	}
	tortureWrite(tab, stable, 100_000)
	stop.Store(true)
	wg.Wait()
	checkTable(t, tab)
	if tab.mem.load32(offMoves) == 0 || tab.Stats().Refused > 20_000 {
		t.Errorf("the test did not stress: %d moves, %d refused", tab.mem.load32(offMoves), tab.Stats().Refused)
	}
	t.Logf("%d displacements and moves, %+v", tab.mem.load32(offMoves), tab.Stats())
}

func tortureWrite(tab *Table, stable uint32, steps int) {
	rnd, now := newRand(3), second
	var churn []uint32
	for step := range steps {
		now += second / 20
		tab.Advance(now)
		switch n := rnd.Uint32(); {
		case step%4 == 0:
			k := key4(n % stable)
			s, _ := tab.Lookup(&k)
			if n>>20&7 == 0 || tab.Update(s, tortureAction(k, n)) != nil {
				_, _ = tab.Move(s, tortureAction(k, n), now)
			}
		case len(churn) > 130 || step%4 == 1 && len(churn) > 0:
			i := int(n % uint32(len(churn)))
			tab.Remove(churn[i], now)
			churn[i] = churn[len(churn)-1]
			churn = churn[:len(churn)-1]
		default:
			k := key4(stable + n%5000)
			if n>>20&3 == 0 {
				k = key6(n % 5000)
			}
			if s, err := tab.Insert(k, tortureAction(k, n), n); err == nil {
				churn = append(churn, s)
			}
		}
	}
}

func tortureRead(t *testing.T, tab *Table, stable uint32, seed uint64, stop *atomic.Bool) {
	rnd := newRand(seed)
	for !stop.Load() {
		n := rnd.Uint32()
		k := key4(n % stable)
		steady := n&0x10000 != 0
		if !steady {
			k = key4(stable + n%5000)
		}
		s, ok := tab.Lookup(&k)
		if !ok {
			if steady {
				t.Errorf("key %d was lost", n%stable)
				return
			}
			continue
		}
		if got, a, ok := tab.Read(s); ok && !whole(got, a) {
			t.Errorf("slot %d key %v: mixed action %+v", s, got, a)
			return
		}
		var a Action
		if s, ok := tab.Get(&k, &a); ok && !whole(k, a) || !ok && steady {
			t.Errorf("get %v: slot %d %v, mixed action %+v", k, s, ok, a)
			return
		}
	}
}
