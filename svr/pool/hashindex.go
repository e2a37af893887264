package pool

// none ends every list of the package.
const none = ^uint32(0)

// HashIndex maps a 64-bit hash to the record indices that were added under it:
// fixed chains, no keys of its own, so that the caller compares the record.
// The hash must be keyed with a secret when its input comes from outside; all
// 64 bits should be good, the bucket is taken from the upper 32.
type HashIndex struct {
	heads []uint32 // record + 1, zero is empty
	next  []uint32 // by record: record + 1
}

// NewHashIndex makes an index for records 0 to records-1, six bytes each: a full
// one has two records in a chain.
func NewHashIndex(records int) *HashIndex {
	return &HashIndex{heads: make([]uint32, max(records/2, 1)), next: make([]uint32, records)}
}

func (h *HashIndex) head(hash uint64) *uint32 {
	return &h.heads[hash>>32*uint64(len(h.heads))>>32]
}

// Add enters record idx under hash. A record may be in the index once only.
func (h *HashIndex) Add(hash uint64, idx uint32) {
	head := h.head(hash)
	h.next[idx], *head = *head, idx+1
}

// Remove takes record idx out again; hash must be the one it was added under.
// It returns false when it was not there.
func (h *HashIndex) Remove(hash uint64, idx uint32) bool {
	for p := h.head(hash); *p != 0; p = &h.next[*p-1] {
		if *p == idx+1 {
			*p, h.next[idx] = h.next[idx], 0
			return true
		}
	}
	return false
}

// Each calls f for every record whose hash falls in the same bucket, newest
// first, until f returns false. f may remove the record it was called with.
func (h *HashIndex) Each(hash uint64, f func(idx uint32) bool) {
	for i := *h.head(hash); i != 0; {
		next := h.next[i-1]
		if !f(i - 1) {
			return
		}
		i = next
	}
}

// First returns the newest record of the bucket and, with Next, allows a walk
// without a function value.
func (h *HashIndex) First(hash uint64) (idx uint32, ok bool) {
	i := *h.head(hash)
	return i - 1, i != 0
}

// Next returns the record behind idx in its bucket.
func (h *HashIndex) Next(idx uint32) (uint32, bool) {
	i := h.next[idx]
	return i - 1, i != 0
}
