package pool

import "encoding/binary"

// endpoint is the inner side of a mapping; the pool has WAN interface and
// protocol.
type endpoint struct {
	src        [16]byte
	port, pool uint16
}

// mapping is an endpoint and its external port. Links are mapping numbers + 1,
// zero is none.
type mapping struct {
	endpoint
	ext   uint16
	when  uint16 // restingBit, and release in units of 2^natShift ns; 0: sessions have it
	refs  uint32 // sessions; resting: the one before in the queue
	next  uint32 // resting queue, free list
	inner uint32 // chain of endpoints
	outer uint32 // chain of external ports
}

// restingBit marks a mapping that no session has.
const restingBit = 1 << 15

// natShift turns nanoseconds into the ticks of a mapping, 67 ms: a mapping that
// nobody looks at for a quarter of an hour after its rest may rest that long again.
const natShift = 26

// releaseTick rounds up: no mapping is released early.
func releaseTick(at int64) uint16 {
	return restingBit | uint16((at+1<<natShift-1)>>natShift)&^restingBit
}

func (m *mapping) rests() bool { return m.when != 0 }

// released tells whether the tick of a resting mapping has come.
func (m *mapping) released(now int64) bool {
	return (uint16(now>>natShift)-m.when)&^restingBit < restingBit/2
}

// natArena holds the mappings, found by endpoint and by external port.
type natArena struct {
	maps   []mapping
	inner  []uint32 // heads; a full arena has two mappings in a chain
	outer  []uint32
	free   uint32
	virgin uint32
	key    [2]uint64
}

func newNATArena(size int, k0, k1 uint64) natArena {
	return natArena{
		maps: make([]mapping, size), inner: make([]uint32, max(size/2, 1)), outer: make([]uint32, max(size/2, 1)),
		key: [2]uint64{k0, k1 | 1},
	}
}

func (a *natArena) full() bool { return a.free == 0 && int(a.virgin) == len(a.maps) }

// mix is a keyed multiply-and-fold over two words.
func (a *natArena) mix(h, x, y uint64) uint64 {
	h = (h ^ x) * a.key[1]
	h = (h ^ h>>32 ^ y) * a.key[1]
	return h ^ h>>29
}

func (a *natArena) innerHead(k *endpoint) *uint32 {
	h := a.mix(a.key[0], binary.LittleEndian.Uint64(k.src[:]), binary.LittleEndian.Uint64(k.src[8:]))
	h = a.mix(h, uint64(k.port)|uint64(k.pool)<<16, 0)
	return &a.inner[h>>32*uint64(len(a.inner))>>32]
}

func (a *natArena) outerHead(pool, ext uint16) *uint32 {
	h := a.mix(^a.key[0], uint64(ext)|uint64(pool)<<16, 0)
	return &a.outer[h>>32*uint64(len(a.outer))>>32]
}

// skipInner returns the first mapping of k at or behind i in its chain.
func (a *natArena) skipInner(i uint32, k *endpoint) uint32 {
	for i != 0 && a.maps[i-1].endpoint != *k {
		i = a.maps[i-1].inner
	}
	return i
}

func (a *natArena) firstInner(k *endpoint) uint32 { return a.skipInner(*a.innerHead(k), k) }
func (a *natArena) nextInner(i uint32, k *endpoint) uint32 {
	return a.skipInner(a.maps[i-1].inner, k)
}

// skipOuter is skipInner for external ports.
func (a *natArena) skipOuter(i uint32, pool, ext uint16) uint32 {
	for i != 0 {
		if m := &a.maps[i-1]; m.ext == ext && m.pool == pool {
			return i
		}
		i = a.maps[i-1].outer
	}
	return 0
}

func (a *natArena) firstOuter(pool, ext uint16) uint32 {
	return a.skipOuter(*a.outerHead(pool, ext), pool, ext)
}

func (a *natArena) nextOuter(i uint32, pool, ext uint16) uint32 {
	return a.skipOuter(a.maps[i-1].outer, pool, ext)
}

// enter makes a mapping with one reference; full must have been false.
func (a *natArena) enter(k *endpoint, ext uint16) {
	i := a.free
	if i != 0 {
		a.free = a.maps[i-1].next
	} else {
		a.virgin++
		i = a.virgin
	}
	in, out := a.innerHead(k), a.outerHead(k.pool, ext)
	a.maps[i-1] = mapping{endpoint: *k, ext: ext, refs: 1, inner: *in, outer: *out}
	*in, *out = i, i
}

// leave takes a mapping out of both chains.
func (a *natArena) leave(i uint32) {
	m := &a.maps[i-1]
	p := a.innerHead(&m.endpoint)
	for *p != i {
		p = &a.maps[*p-1].inner
	}
	*p = m.inner
	p = a.outerHead(m.pool, m.ext)
	for *p != i {
		p = &a.maps[*p-1].outer
	}
	*p = m.outer
}

// put gives a mapping back that is in no chain and no queue.
func (a *natArena) put(i uint32) {
	a.maps[i-1] = mapping{next: a.free}
	a.free = i
}
