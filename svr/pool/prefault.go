package pool

import "unsafe"

// Reserve returns the memory of s from its first whole page of 4 KB on, for whoever makes it
// present before it is needed. It is nobody's to change: see Touch. Nil when s is
// less than a page.
func Reserve[T any](s []T) []byte {
	var one T
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(one)))
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (pageSize - 1)
	if len(b) < skip+pageSize {
		return nil
	}
	return b[skip:]
}

// Touch writes a byte of every page of memory with what is there already, so that
// the page is present from now on. For the memory's only writer.
func Touch(memory []byte) {
	for i := 0; i < len(memory); i += pageSize {
		memory[i] = unchanged(memory[i])
	}
}

// unchanged hides from the compiler that a store changes nothing.
//
//go:noinline
func unchanged(v byte) byte { return v }

// Reserved is the table's own memory, which grows to this anyway when it fills. The
// shared memory is the caller's.
func (t *Table) Reserved() [][]byte {
	list := [][]byte{Reserve(t.owner)}
	for _, l := range t.free.level {
		list = append(list, Reserve(l))
	}
	return list
}

// Reserved is the memory of the index.
func (h *HashIndex) Reserved() [][]byte { return [][]byte{Reserve(h.heads), Reserve(h.next)} }

// Reserved is the memory of the wheel.
func (w *Wheel) Reserved() [][]byte {
	return [][]byte{Reserve(w.next), Reserve(w.prev), Reserve(w.due)}
}

// Reserved is the memory of the arena of pairs.
func (w *Wayports) Reserved() [][]byte {
	return [][]byte{Reserve(w.arena.nodes), Reserve(w.arena.heads)}
}

// Reserved is the memory of the mappings.
func (n *NAT) Reserved() [][]byte {
	return [][]byte{Reserve(n.arena.maps), Reserve(n.arena.inner), Reserve(n.arena.outer)}
}
