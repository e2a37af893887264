package pool

import "math/bits"

const natWords = (natPorts + 63) / 64

// natPool is the ports of one WAN interface and protocol: a bit per mapped
// port, and the resting mappings in the order of their release.
type natPool struct {
	wan        uint16
	proto      uint8
	mapped     int // ports with a bit
	head, tail uint32
	bits       [natWords]uint64
}

func (p *natPool) has(ext uint16) bool {
	i := ext - NATFirst
	return p.bits[i/64]>>(i%64)&1 != 0
}

func (p *natPool) mark(ext uint16) {
	if i := ext - NATFirst; !p.has(ext) {
		p.bits[i/64] |= 1 << (i % 64)
		p.mapped++
	}
}

func (p *natPool) unmark(ext uint16) {
	if i := ext - NATFirst; p.has(ext) {
		p.bits[i/64] &^= 1 << (i % 64)
		p.mapped--
	}
}

// free returns a port without mapping from word w on, or 0.
func (p *natPool) free(w, rot int) uint16 {
	word := ^p.bits[w]
	if last := natPorts % 64; w == natWords-1 && last != 0 {
		word &= 1<<last - 1
	}
	if word == 0 {
		return 0
	}
	bit := (bits.TrailingZeros64(bits.RotateLeft64(word, -rot)) + rot) % 64
	return uint16(NATFirst + 64*w + bit)
}

// push appends a mapping whose last session went, to rest until a tick.
func (p *natPool) push(a *natArena, i uint32, release uint16) {
	m := &a.maps[i-1]
	m.when, m.refs, m.next = release, p.tail, 0
	if p.tail == 0 {
		p.head = i
	} else {
		a.maps[p.tail-1].next = i
	}
	p.tail = i
}

// unlink takes a resting mapping out of the queue; no session has it yet.
func (p *natPool) unlink(a *natArena, i uint32) {
	m := &a.maps[i-1]
	prev := m.refs
	if prev == 0 {
		p.head = m.next
	} else {
		a.maps[prev-1].next = m.next
	}
	if m.next == 0 {
		p.tail = prev
	} else {
		a.maps[m.next-1].refs = prev
	}
	m.when, m.refs, m.next = 0, 0, 0
}

// find returns the number of the pool of a WAN interface and protocol, or one that
// no mapping has.
func (n *NAT) find(wan uint16, proto uint8) uint16 {
	for i := range n.known {
		if p := &n.pools[i]; p.wan == wan && p.proto == proto {
			return uint16(i)
		}
	}
	return noPool
}

const noPool = ^uint16(0)

// pool returns the number of the pool of a WAN interface and protocol, made
// when new; -1 when all are taken by others that have mappings.
func (n *NAT) pool(wan uint16, proto uint8) int {
	spare := -1
	for i := range n.known {
		p := &n.pools[i]
		if p.wan == wan && p.proto == proto {
			return i
		}
		if p.mapped == 0 {
			spare = i
		}
	}
	if n.known < len(n.pools) {
		spare = n.known
		n.known++
	}
	if spare >= 0 {
		n.pools[spare] = natPool{wan: wan, proto: proto}
	}
	return spare
}

// pick returns a random port that nobody has, or 0.
func (n *NAT) pick(pool int, conflict func(uint16) bool) uint16 {
	p := &n.pools[pool]
	if p.mapped == natPorts {
		return 0
	}
	for range natTries / 2 {
		if ext := n.random(); !p.has(ext) && (conflict == nil || !conflict(ext)) {
			return ext
		}
	}
	start, rot := int(n.rng.Uint64()%natWords), int(n.rng.Uint64()>>58)
	for i := range natWords {
		ext := p.free((start+i)%natWords, rot)
		if ext != 0 && (conflict == nil || !conflict(ext)) {
			return ext
		}
	}
	return 0
}

// random returns a port of the range.
func (n *NAT) random() uint16 { return NATFirst + uint16(n.rng.Uint64()>>32*natPorts>>32) }

// early takes the port of the mapping that rests longest, or returns 0.
func (n *NAT) early(pool int, conflict func(uint16) bool) uint16 {
	p := &n.pools[pool]
	i := p.head
	for range natSamples {
		if i == 0 {
			return 0
		}
		m := &n.arena.maps[i-1]
		ext, next := m.ext, m.next
		if conflict == nil || !conflict(ext) {
			n.drop(i)
			n.stats.Early++
			return ext
		}
		i = next
	}
	return 0
}

// share returns a random mapped port that is free towards the destination, or 0.
func (n *NAT) share(conflict func(uint16) bool) uint16 {
	if conflict == nil {
		return 0
	}
	for range natTries {
		if ext := n.random(); !conflict(ext) {
			return ext
		}
	}
	return 0
}

// forget drops the mapping that rests longest, of this pool or else of another.
func (n *NAT) forget(pool int) bool {
	for range len(n.pools) + 1 {
		if h := n.pools[pool].head; h != 0 {
			n.drop(h)
			n.stats.Early++
			return true
		}
		n.turn = (n.turn + 1) % len(n.pools)
		pool = n.turn
	}
	return false
}

// drop ends a resting mapping; its port is free unless another mapping has it.
func (n *NAT) drop(i uint32) {
	m := &n.arena.maps[i-1]
	p := &n.pools[m.pool]
	p.unlink(&n.arena, i)
	n.stats.Resting--
	n.arena.leave(i)
	if n.arena.firstOuter(m.pool, m.ext) == 0 {
		p.unmark(m.ext)
	}
	n.arena.put(i)
}
