package pool

import "sync/atomic"

// Go counts, by the block of their window, the directions that are outside of it: only
// then does a key that is not in its window need a look at the overflow index, whose
// two buckets are two more cache lines. The first packet of every session is looked for
// in vain, and so is each key before it is inserted. A count that came to its end
// stays there, and says nothing more than "some".
//
// As with tags, the words are not in the shared memory, and Open makes them anew. A
// direction is counted before its entry is written, until after the entry is gone.
type strays []uint32 // eight counts each

const strayEnd = 0xf

func newStrays(slots uint32) strays { return make(strays, (slots/windowSize+8)/8) }

// of is the count of a block.
func (s strays) of(block uint32) uint32 {
	return atomic.LoadUint32(&s[block/8]) >> (block % 8 * 4) & strayEnd
}

// set changes the count of a block from the one that it has. Writer only.
func (s strays) set(block, count uint32) {
	w, shift := &s[block/8], block%8*4
	release32(w, *w&^(strayEnd<<shift)|count<<shift)
}

// add counts a direction with a home in block. Writer only.
func (s strays) add(block uint32) {
	if n := s.of(block); n < strayEnd {
		s.set(block, n+1)
	}
}

// drop takes one off the count of block. Writer only.
func (s strays) drop(block uint32) {
	if n := s.of(block); n > 0 && n < strayEnd {
		s.set(block, n-1)
	}
}
