package lane

import shared "waymark/svr/pool"

// HopMemory is how many bytes NewHopsIn needs for n next-hops.
func HopMemory(n int) int { return (n + 1) * shared.RecordSize[hopKey]() }

// NewHopsIn is NewHops with the next-hops' addresses in mem, where another
// process finds them by Adopt: zero, or as an earlier process of the same n
// left it.
func NewHopsIn(n int, mem []byte) *Hops { return newHops(n, mem) }

// Adopt takes a reference on the next-hop that had this id in the process
// before. False when there was none.
func (h *Hops) Adopt(id uint16) bool {
	if int(id) >= len(h.slots) || id == 0 || !h.kept || h.names[id].family == 0 {
		return false
	}
	if h.slots[id].refs > 0 {
		h.slots[id].refs++
		return true
	}
	if _, twice := h.find(&h.names[id]); twice {
		return false
	}
	for i, f := range h.free {
		if f == id {
			h.free = append(h.free[:i], h.free[i+1:]...)
			break
		}
	}
	h.enter(id, h.names[id])
	return true
}

// enter makes an entry with one reference.
func (h *Hops) enter(id uint16, k hopKey) {
	h.slots[id] = hopEntry{refs: 1, state: HopUnresolved}
	h.names[id] = k
	h.index.Add(h.hash(&k), uint32(id))
}

// ForgetNames drops the addresses of next-hops that nobody adopted.
func (h *Hops) ForgetNames(forgotten func(id uint16)) {
	if !h.kept {
		return
	}
	for id := range h.names {
		if h.slots[id].refs == 0 {
			h.names[id] = hopKey{}
			forgotten(uint16(id))
		}
	}
}

// set gives a next-hop its state. While the kernel asks anew, what was
// published stays: the answer, or its lack, comes soon.
func (h *Hops) set(id uint16, mac [6]byte, st HopState) {
	s := &h.slots[id]
	s.mac, s.state = mac, st
	if h.published != nil && st != HopUnresolved {
		h.published(id, h.names[id].ifc, mac, st == HopResolved)
	}
}
