package pool

import "math/bits"

// freeBits is the set of free slots: a bit each, and above them levels whose
// bits say that a word of the level below is not zero. Taking a particular slot
// and finding any are a few steps each.
type freeBits struct {
	level [4][]uint64 // 64^4 covers maxSlots
	n     int
}

func newFreeBits(slots uint32) (f freeBits) {
	n := int(slots)
	for l := range f.level {
		n = (n + 63) / 64
		f.level[l] = make([]uint64, n)
	}
	return f
}

// has tells whether a slot is free.
func (f *freeBits) has(s uint32) bool { return f.level[0][s/64]>>(s%64)&1 != 0 }

// add makes a slot free that was not.
func (f *freeBits) add(s uint32) {
	f.n++
	for l := range f.level {
		w := &f.level[l][s/64]
		before := *w
		*w |= 1 << (s % 64)
		if before != 0 {
			return
		}
		s /= 64
	}
}

// take makes a free slot used.
func (f *freeBits) take(s uint32) {
	f.n--
	for l := range f.level {
		w := &f.level[l][s/64]
		*w &^= 1 << (s % 64)
		if *w != 0 {
			return
		}
		s /= 64
	}
}

// near returns a free slot, of the same 64 (a page of slots) when one is left
// there; there must be one.
func (f *freeBits) near(s uint32) uint32 {
	l := 0
	for s /= 64; f.level[l][s] == 0; s /= 64 {
		l++
	}
	for ; l >= 0; l-- {
		s = s*64 + uint32(bits.TrailingZeros64(f.level[l][s]))
	}
	return s
}
