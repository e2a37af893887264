package packet

// unit is what fragments are multiples of, in bytes.
const unit = 8

// blocks marks which units of a packet of MaxLen bytes are here, a bit each.
type blocks [pageCount * pageSize / unit / 64]uint64

// span returns the words that hold the units of bytes [from, to), to > from.
func span(from, to int) (first, last int) {
	return from / unit / 64, (to - 1) / unit / 64
}

// mask returns the bits of word w that belong to bytes [from, to).
func mask(w, from, to int) uint64 {
	lo, hi := max(from/unit-w*64, 0), min((to-1)/unit-w*64, 63)
	return ^uint64(0) << lo & (^uint64(0) >> (63 - hi))
}

// any tells whether a unit of bytes [from, to) is marked.
func (b *blocks) any(from, to int) bool {
	first, last := span(from, to)
	for w := first; w <= last; w++ {
		if b[w]&mask(w, from, to) != 0 {
			return true
		}
	}
	return false
}

// all tells whether every unit of bytes [from, to) is marked.
func (b *blocks) all(from, to int) bool {
	first, last := span(from, to)
	for w := first; w <= last; w++ {
		if m := mask(w, from, to); b[w]&m != m {
			return false
		}
	}
	return true
}

// set marks the units of bytes [from, to).
func (b *blocks) set(from, to int) {
	first, last := span(from, to)
	for w := first; w <= last; w++ {
		b[w] |= mask(w, from, to)
	}
}
