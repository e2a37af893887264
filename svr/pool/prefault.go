package pool

// touch writes every page of s with what is there already, so that the page is
// present from now on. Only before anyone else uses s.
func touch[T any](s []T) {
	for i := range s {
		s[i] = unchanged(s[i])
	}
}

// Prefault makes the pages of records present, whatever they hold.
func Prefault[T any](s []T) { touch(s) }

// unchanged hides from the compiler that a store changes nothing.
//
//go:noinline
func unchanged[T any](v T) T { return v }

// Prefault makes the pages of the table's own memory present, so that a full
// table costs no memory that an empty one does not. The shared memory is the
// caller's. Before anyone uses the table.
func (t *Table) Prefault() {
	touch(t.side)
	for _, l := range t.free.level {
		touch(l)
	}
}

// Prefault makes the pages of the index present.
func (h *HashIndex) Prefault() {
	touch(h.heads)
	touch(h.next)
}

// Prefault makes the pages of the wheel present.
func (w *Wheel) Prefault() {
	touch(w.next)
	touch(w.prev)
	touch(w.due)
}

// Prefault makes the pages of the arena of pairs present.
func (w *Wayports) Prefault() {
	touch(w.arena.nodes)
	touch(w.arena.heads)
}

// Prefault makes the pages of the mappings present.
func (n *NAT) Prefault() {
	touch(n.arena.maps)
	touch(n.arena.inner)
	touch(n.arena.outer)
}
