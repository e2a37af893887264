package router

import "waymark/svr/lane"

const (
	hopWarm  = int64(60e9) // a next-hop stays resolved this long after its last new session
	hopSweep = int64(5e9)
)

// warmHops keeps a reference of its own on every next-hop that sessions used
// lately, so that short sessions one after another do not resolve the same
// neighbour again and again. It belongs to the lane's goroutine.
type warmHops struct {
	hops  *lane.Hops
	used  []int64 // by id: when it was last asked for, 0: no reference of ours
	swept int64
}

func newWarmHops(hops *lane.Hops) *warmHops {
	_, n := hops.Len()
	return &warmHops{hops: hops, used: make([]int64, n+1)}
}

// get takes a reference for a session. When the table is full the references
// of our own are given back first.
func (w *warmHops) get(ifc uint16, addr [16]byte, family uint8, now int64) (uint16, bool) {
	id, ok := w.hops.Get(ifc, addr, family)
	if !ok {
		w.release(now + 1)
		if id, ok = w.hops.Get(ifc, addr, family); !ok {
			return 0, false
		}
	}
	if w.used[id] == 0 {
		w.hops.Get(ifc, addr, family)
	}
	w.used[id] = max(now, 1)
	return id, true
}

// cool gives back the references that nobody asked for lately.
func (w *warmHops) cool(now int64) {
	if now-w.swept >= hopSweep {
		w.swept = now
		w.release(now - hopWarm)
	}
}

// release gives back our references on next-hops last asked for before then.
func (w *warmHops) release(before int64) {
	for id, t := range w.used {
		if t != 0 && t < before {
			w.used[id] = 0
			w.hops.Release(uint16(id))
		}
	}
}
