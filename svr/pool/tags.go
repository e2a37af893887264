package pool

import "sync/atomic"

// Go keeps a byte of the hash of every direction that lies in its window, eight
// of them in a word: a lookup reads one word instead of eight slots, and most
// that find nothing, as the first packet of every session does, end there. The
// programs in the kernel go without, since a hit at home needs no second cache
// line; the words are not in the shared memory, and Open makes them anew.
//
// A tag is set before its slot is published and cleared after the slot was, so
// a reader that sees a published direction's word cannot miss its tag.
type tags []uint64

func newTags(slots uint32) tags { return make(tags, (slots+windowSize-1)/windowSize) }

// tagOf is never zero, which means no direction. Its bits are not those that
// choose the home slot.
func tagOf(h uint64) uint64 { return max(h&0xff, 1) }

const (
	everyByte = 0x0101_0101_0101_0101
	lowBits   = 0x7f * everyByte
)

// candidates has the top bit of byte i set where slot i of the block has the tag of h.
func (g tags) candidates(block uint32, h uint64) uint64 {
	x := atomic.LoadUint64(&g[block]) ^ tagOf(h)*everyByte
	return ^(x&lowBits + lowBits | x | lowBits)
}

// set gives slot a tag, 0 for none. Writer only.
func (g tags) set(slot uint32, tag uint64) {
	w, shift := &g[slot/windowSize], slot%windowSize*8
	release64(w, *w&^(0xff<<shift)|tag<<shift)
}

// inWindow finds the key in the window of its hash, in the order in which the
// programs look.
func (t *Table) inWindow(h uint64, w *keyWords) (slot uint32, result outcome) {
	home := t.home(h)
	m := t.tags.candidates(home/windowSize, h)
	for i := uint32(0); m != 0 && i < t.window; i++ {
		s := home ^ i
		bit := uint64(0x80) << (s % windowSize * 8)
		if m&bit == 0 {
			continue
		}
		m &^= bit
		if result = t.compare(s, w); result != differs {
			return s, result
		}
	}
	return 0, differs
}

// at is the tag of a slot.
func (g tags) at(slot uint32) uint64 {
	return atomic.LoadUint64(&g[slot/windowSize]) >> (slot % windowSize * 8) & 0xff
}
