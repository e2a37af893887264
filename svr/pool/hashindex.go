package pool

import "math/bits"

// none ends every list of the package.
const none = ^uint32(0)

// HashIndex maps a 64-bit hash to the record indices that were added under it:
// fixed chains, no keys of its own, so that the caller compares the record.
// The hash must be keyed with a secret when its input comes from outside; all
// 64 bits should be good, the bucket is taken from the upper 32.
//
// A link is record + 1, zero at the end, and above it, in the bits that no record
// number needs, lower bits of the hash of that record: nearly always a walk goes past
// a record of another hash without a look at it, which the caller would pay with a
// cache line.
type HashIndex struct {
	heads []uint32
	next  []uint32 // by record
	shift uint     // of the bits of the hash in a link
}

// NewHashIndex makes an index for records 0 to records-1, six bytes each: a full
// one has two records in a chain.
func NewHashIndex(records int) *HashIndex {
	return &HashIndex{heads: make([]uint32, max(records/2, 1)), next: make([]uint32, records), shift: uint(bits.Len(uint(records)))}
}

func (h *HashIndex) head(hash uint64) *uint32 {
	return &h.heads[hash>>32*uint64(len(h.heads))>>32]
}

// link leads to record idx, which was added under hash.
func (h *HashIndex) link(hash uint64, idx uint32) uint32 { return uint32(hash)<<h.shift | (idx + 1) }

// record is the record that a link leads to.
func (h *HashIndex) record(link uint32) uint32 { return link&(1<<h.shift-1) - 1 }

// Add enters record idx under hash. A record may be in the index once only.
func (h *HashIndex) Add(hash uint64, idx uint32) {
	head := h.head(hash)
	h.next[idx], *head = *head, h.link(hash, idx)
}

// Remove takes record idx out again; hash must be the one it was added under.
// It returns false when it was not there.
func (h *HashIndex) Remove(hash uint64, idx uint32) bool {
	want := h.link(hash, idx)
	for p := h.head(hash); *p != 0; p = &h.next[h.record(*p)] {
		if *p == want {
			*p, h.next[idx] = h.next[idx], 0
			return true
		}
	}
	return false
}

// Each calls f for every record that was added under hash, and now and then for one
// of another hash, newest first, until f returns false. f may remove the record it
// was called with.
func (h *HashIndex) Each(hash uint64, f func(idx uint32) bool) {
	other := h.link(hash, none) // of no record
	for l := *h.head(hash); l != 0; {
		i := h.record(l)
		next := h.next[i]
		if (l^other)>>h.shift == 0 && !f(i) {
			return
		}
		l = next
	}
}

// First returns the newest record of the bucket, whatever its hash, and allows, with
// Next, a walk without a function value.
func (h *HashIndex) First(hash uint64) (idx uint32, ok bool) {
	l := *h.head(hash)
	return h.record(l), l != 0
}

// Next returns the record behind idx in its bucket.
func (h *HashIndex) Next(idx uint32) (uint32, bool) {
	l := h.next[idx]
	return h.record(l), l != 0
}
