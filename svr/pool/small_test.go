package pool

import (
	"slices"
	"testing"
)

func TestHashIndexAgainstModel(t *testing.T) {
	h, rnd, model := NewHashIndex(64), newRand(5), map[uint32]uint64{}
	for range 20000 {
		idx := rnd.Uint32N(64)
		if hash, ok := model[idx]; ok {
			if !h.Remove(hash, idx) || h.Remove(hash, idx) {
				t.Fatalf("remove %d: want true, then false", idx)
			}
			delete(model, idx)
		} else {
			hash = uint64(rnd.Uint32N(8))<<61 | uint64(idx)
			h.Add(hash, idx)
			model[idx] = hash
		}
		probe := rnd.Uint32N(64)
		found := false
		h.Each(model[probe], func(i uint32) bool { found = found || i == probe; return true })
		if _, want := model[probe]; found != want {
			t.Fatalf("record %d: found %v, want %v", probe, found, want)
		}
	}
}

func TestHashIndexWalks(t *testing.T) {
	h := NewHashIndex(8)
	for i := range uint32(5) {
		h.Add(0, i)
	}
	var got []uint32
	h.Each(0, func(i uint32) bool { got = append(got, i); h.Remove(0, i); return len(got) < 3 })
	if want := []uint32{4, 3, 2}; !slices.Equal(got, want) {
		t.Errorf("Each: got %v, want %v", got, want)
	}
	got = nil
	for i, ok := h.First(0); ok; i, ok = h.Next(i) {
		got = append(got, i)
	}
	if want := []uint32{1, 0}; !slices.Equal(got, want) {
		t.Errorf("First, Next: got %v, want %v", got, want)
	}
}

// TestWheelAgainstModel: every record fires once, at the first tick at or after
// its deadline, over all levels, with records moved and cancelled on the way.
func TestWheelAgainstModel(t *testing.T) {
	const records = 300
	rnd, now := newRand(8), 3*second+12345
	w, due := NewWheel(records, now), map[uint32]int64{}
	reach := []int64{1, second, 30 * second, 2000 * second, WheelReach, WheelReach}
	for step := range 30000 {
		idx := rnd.Uint32N(records)
		if rnd.IntN(4) == 0 {
			_, want := due[idx]
			if w.Scheduled(idx) != want || w.Cancel(idx) != want {
				t.Fatalf("step %d: record %d scheduled: want %v", step, idx, want)
			}
			delete(due, idx)
		} else {
			due[idx] = now + rnd.Int64N(reach[rnd.IntN(len(reach))])
			w.Schedule(idx, due[idx])
		}
		from := now
		now += rnd.Int64N(reach[rnd.IntN(3)])
		w.Advance(now, func(i uint32) {
			if d, ok := due[i]; !ok || d > now || d+WheelTick < from {
				t.Fatalf("step %d: record %d fired between %d and %d, due %d (%v)", step, i, from, now, d, ok)
			}
			delete(due, i)
		})
		for i, d := range due {
			if d+2*WheelTick < now {
				t.Fatalf("step %d: record %d due %d did not fire until %d", step, i, d, now)
			}
		}
		if w.Len() != len(due) {
			t.Fatalf("step %d: Len: got %d, want %d", step, w.Len(), len(due))
		}
	}
}

func TestWheelFarAndWrapping(t *testing.T) {
	w := NewWheel(4, 0)
	w.tick = 1<<32 - 300 // the tick counter wraps soon
	for i, d := range []int64{second, 60 * second, 6500 * second, 1 << 62} {
		w.Schedule(uint32(i), d)
	}
	var got []uint32
	w.Advance(6510*second, func(i uint32) { got = append(got, i) })
	if want := []uint32{0, 1, 2}; !slices.Equal(got, want) || w.Len() != 1 {
		t.Errorf("fired %v, want %v; %d left", got, want, w.Len())
	}
	w.Advance(WheelReach, func(i uint32) { got = append(got, i) }) // whoever is beyond looks again
	if len(got) != 4 || got[3] != 3 {
		t.Errorf("fired %v at the end of the reach", got)
	}
	w.Advance(10_000_000*second, func(i uint32) { t.Errorf("record %d fired", i) }) // jumps
	w.Schedule(1, 0)
	w.Advance(10_000_001*second, func(i uint32) { got = append(got, i) })
	if len(got) != 5 {
		t.Errorf("a past deadline did not fire")
	}
}

// TestWheelRescheduleInside: fire may reschedule and cancel anything.
func TestWheelRescheduleInside(t *testing.T) {
	w, fired := NewWheel(3, 0), [3]int{}
	for i := range uint32(3) {
		w.Schedule(i, second)
	}
	w.Advance(10*second, func(i uint32) {
		fired[i]++
		w.Cancel((i + 1) % 3)
		w.Schedule(i, int64(fired[i]+1)*second)
	})
	if sum := fired[0] + fired[1] + fired[2]; sum < 10 || w.Len() == 0 {
		t.Errorf("fired %v, %d scheduled", fired, w.Len())
	}
}
