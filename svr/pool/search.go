package pool

// searchNodes bounds the search for a chain of displacements. At 90 % load a
// bucket is full with probability below one half, so the search ends within a
// few nodes; 500 fail with a probability below 10^-100.
const searchNodes = 500

// searchNode is a bucket that would have room if the entry `way` of its
// parent's bucket moved into it.
type searchNode struct {
	bucket uint32
	parent int16
	way    uint8
}

// makeRoom sees to it that one of the two buckets of h has an empty entry.
func (t *Table) makeRoom(h uint64) bool {
	b1, b2 := t.bucket1(h), t.bucket2(h)
	if _, _, ok := t.emptyOf(b1); ok {
		return true
	}
	if _, _, ok := t.emptyOf(b2); ok {
		return true
	}
	t.nodes[0] = searchNode{bucket: b1, parent: -1}
	t.nodes[1] = searchNode{bucket: b2, parent: -1}
	n := 2
	for i := 0; i < n; i++ {
		if _, _, ok := t.emptyOf(t.nodes[i].bucket); ok {
			t.displace(i)
			return true
		}
		n = t.expand(i, n)
	}
	return false
}

// expand appends the other buckets of the entries of node i.
func (t *Table) expand(i, n int) int {
	b := t.nodes[i].bucket
	for way := range uint32(ways) {
		if n == searchNodes {
			break
		}
		other := t.otherBucket(b, t.mem.load32(entryOff(b, way))&slotMask)
		if other != b {
			t.nodes[n] = searchNode{bucket: other, parent: int16(i), way: uint8(way)}
			n++
		}
	}
	return n
}

// otherBucket is the alternative of the key in slot, which lies in bucket b.
func (t *Table) otherBucket(b, slot uint32) uint32 {
	h := t.hashAt(slot)
	if b1 := t.bucket1(h); b1 != b {
		return b1
	}
	return t.bucket2(h)
}

// displace moves entries along the chain that ends in node i, from its end to
// its root. The search is by breadth, so no bucket comes twice in the chain.
func (t *Table) displace(i int) {
	for t.nodes[i].parent >= 0 {
		n := t.nodes[i]
		parent := int(n.parent)
		_, way, _ := t.emptyOf(n.bucket)
		from := entryOff(t.nodes[parent].bucket, uint32(n.way))
		t.mem.store32(entryOff(n.bucket, way), t.mem.load32(from))
		t.moved()
		t.mem.store32(from, 0)
		i = parent
	}
}
