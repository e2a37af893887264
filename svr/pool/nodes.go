package pool

import "encoding/binary"

// node is a pair that is live or rests. All pathways share one arena of them.
type node struct {
	local, peer uint16
	path        uint16
	when        uint16 // resting: release, in units of 2^restShift ns
	link        uint32 // state, and below it the next in the free list or queue
	chain       uint32 // next in the same hash bucket
}

// The state of a node is in the upper bits of its link.
const (
	stateShift = 29
	linkMask   = 1<<stateShift - 1
	linkEnd    = linkMask // ends a list; there are fewer nodes
)

func (n *node) state() uint8        { return uint8(n.link >> stateShift) }
func (n *node) setState(s uint8)    { n.link = n.link&linkMask | uint32(s)<<stateShift }
func (n *node) next() uint32        { return n.link & linkMask }
func (n *node) setNext(next uint32) { n.link = n.link&^linkMask | next }

// States of a node.
const (
	nodeFree  = iota
	nodeLive  // in the hash
	nodeRest  // in the hash and in a queue
	nodeDone  // the same, rest is over
	nodeGhost // in a queue only: its pair was claimed while it rested
)

// arena holds the nodes and finds them by pair. Nodes behind virgin have never
// been touched.
type arena struct {
	nodes  []node
	heads  []uint32 // node + 1; a full arena has two nodes in a chain
	free   uint32
	virgin uint32
	used   int
	key    [2]uint64
}

func newArena(size int, key [16]byte) arena {
	return arena{
		nodes: make([]node, size), heads: make([]uint32, max(size/2, 1)), free: linkEnd,
		key: [2]uint64{binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:]) | 1},
	}
}

// full tells that get would fail.
func (a *arena) full() bool { return a.free == linkEnd && int(a.virgin) == len(a.nodes) }

// get takes a node; full must have been false.
func (a *arena) get() uint32 {
	a.used++
	if i := a.free; i != linkEnd {
		a.free = a.nodes[i].next()
		return i
	}
	a.virgin++
	return a.virgin - 1
}

// put gives a node back that is in no hash chain and no queue.
func (a *arena) put(i uint32) {
	a.nodes[i] = node{link: a.free}
	a.free = i
	a.used--
}

func (a *arena) head(path, local, peer uint16) *uint32 {
	x := (uint64(path)<<32 | uint64(local)<<16 | uint64(peer)) ^ a.key[0]
	x *= a.key[1]
	x ^= x >> 32
	x *= 0x9e3779b97f4a7c15
	return &a.heads[x>>32*uint64(len(a.heads))>>32]
}

// find returns the node of a pair, or none.
func (a *arena) find(path, local, peer uint16) uint32 {
	for i := *a.head(path, local, peer); i != 0; i = a.nodes[i-1].chain {
		if n := &a.nodes[i-1]; n.local == local && n.peer == peer && n.path == path {
			return i - 1
		}
	}
	return none
}

// enter makes a live node for a pair that has none.
func (a *arena) enter(path, local, peer uint16) {
	i := a.get()
	h := a.head(path, local, peer)
	a.nodes[i] = node{local: local, peer: peer, path: path, link: nodeLive<<stateShift | linkEnd, chain: *h}
	*h = i + 1
}

// leave takes a node out of the hash.
func (a *arena) leave(i uint32) {
	n := &a.nodes[i]
	p := a.head(n.path, n.local, n.peer)
	for *p != i+1 {
		p = &a.nodes[*p-1].chain
	}
	*p, n.chain = n.chain, 0
}

// queue is a FIFO of nodes; the links are node numbers + 1, so that zero is
// an empty queue.
type queue struct{ head, tail uint32 }

func (q *queue) push(a *arena, i uint32) {
	a.nodes[i].setNext(linkEnd)
	if q.tail == 0 {
		q.head = i + 1
	} else {
		a.nodes[q.tail-1].setNext(i)
	}
	q.tail = i + 1
}

// pop takes the head; the queue must not be empty.
func (q *queue) pop(a *arena) uint32 {
	i := q.head - 1
	if next := a.nodes[i].next(); next == linkEnd {
		*q = queue{}
	} else {
		q.head = next + 1
	}
	return i
}
