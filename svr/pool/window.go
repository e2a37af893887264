package pool

// Where a direction lies. The upper half of its hash names a home slot; the
// eight slots of the aligned block around it (512 bytes of one page) are its
// window, in the order home, home^1, home^2 … home^7. A direction takes the
// first free slot of its window, and whoever looks for it compares the slots in
// that order: most often one cache line, and no index. An empty slot does not
// end the search, so removal leaves nothing behind and nobody moves because of
// others.
//
// A direction whose window is full takes any free slot and an entry of the
// overflow index (index.go). Which of the two it is follows from its place.

// home is the slot where the search for a hash begins.
func (t *Table) home(h uint64) uint32 { return uint32((h >> 32) * uint64(t.slots) >> 32) }

// direct tells whether slot is in the window of h.
func (t *Table) direct(h uint64, slot uint32) bool { return t.home(h)^slot < t.window }

// block is the number of the block around the home slot.
func (t *Table) block(h uint64) uint32 { return t.home(h) / windowSize }

// spot is one slot, or two.
type spot struct{ slot, second uint32 } // second: none when there is none

// allocate takes the slots of a direction. When the place is not in the window
// of h, one of the buckets of h has room for the entry.
func (t *Table) allocate(h uint64, pair bool) (s spot, ok bool) {
	t.drain(2)
	if t.free.n < slotsOf(pair) {
		return s, false
	}
	slot, ok := t.vacancy(h)
	if !ok {
		if !t.makeRoom(h) {
			return s, false
		}
		slot = t.free.near(t.home(h))
	}
	t.free.take(slot)
	s = spot{slot, none}
	if pair {
		s.second = slot ^ 1
		if s.second >= t.slots || !t.free.has(s.second) {
			s.second = t.free.near(slot)
		}
		t.free.take(s.second)
	}
	return s, true
}

// vacancy finds the first free slot of a window.
func (t *Table) vacancy(h uint64) (slot uint32, ok bool) {
	home := t.home(h)
	for i := range t.window {
		if s := home ^ i; s < t.slots && t.free.has(s) {
			return s, true
		}
	}
	return 0, false
}
