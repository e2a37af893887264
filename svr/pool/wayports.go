package pool

import (
	"errors"
	"fmt"
	"unsafe"
)

// Errors of wayports.
var (
	ErrMax     = errors.New("as many live wayport pairs as max-way-points allows")
	ErrResting = errors.New("every wayport pair is live or resting")
	ErrArena   = errors.New("wayport memory is full")
	ErrRange   = errors.New("invalid port range")
	ErrPathway = errors.New("no such pathway")
)

// DefaultMaxWaypoints is max-way-points where the configuration has none.
const DefaultMaxWaypoints = 50_000

// Rest of a freed pair after its last packet, in nanoseconds.
const (
	RestTime       = 60e9 // ordinarily
	RestTimeClosed = 10e9 // TCP closed both ways
)

// freshTries bounds the candidates of one allocation that turn out to be taken:
// with 98 % of a pathway live, one allocation of 200 fails though a pair is free.
const freshTries = 256

// PathwayConfig describes the wayports between a local and a peer waypoint.
type PathwayConfig struct {
	Local []Range // we take the even ports; none: 16385-65533
	Peer  []Range // the peer is given the odd ports; none: 16385-65532 (docs/wire.md 8)
	Max   int     // live pairs at once (max-way-points); 0: 50,000
}

// PathwayStats is a row of `show waypoints`.
type PathwayStats struct {
	InUse     int    // live pairs
	Resting   int    // freed less than their rest ago
	Free      int    // all other pairs
	Highest   int    // most live pairs at once
	Refused   uint64 // allocations that failed
	Forgotten uint64 // pairs whose rest was cut from memory, not from time: they were not given out again
	Unknown   uint64 // frees of pairs that were not live
	Pairs     int    // even ports × odd ports
	Max       int    // live pairs allowed
}

// Wayports hands out port pairs of pathways, in an unpredictable order, each
// pair to one session at a time and again only after it rested. One goroutine.
//
// A pair that is live or rests has a node. Every pathway walks through a keyed
// permutation of its pairs and takes those without a node; at the end of the
// walk it reuses its own rested pairs in the order of their release. Nodes of
// rested pairs may go at any time: the next walk finds the pairs again. When the
// arena runs out, pairs that still rest are forgotten, oldest first, under two
// rules that keep the rest:
//
//   - a pair that still rests is forgotten only if the walk has passed it, so
//     that it cannot come up again in this walk;
//   - a new walk begins only when the last pair forgotten that way was forgotten
//     a whole rest ago.
//
// A live pair is never forgotten, so no pair is ever live twice.
type Wayports struct {
	arena arena
	perm  *permuter
	paths []pathway
	ring  int32 // a pathway with resting or rested nodes, -1 none
	now   int64
}

// NewWayports makes an arena of nodes pairs, live and resting, for all pathways
// together: 18 bytes each. key must be secret.
func NewWayports(nodes int, key [16]byte) *Wayports {
	return &Wayports{arena: newArena(nodes, key), perm: newPermuter(key), ring: -1}
}

// Capacity returns how many pairs the arena holds, and how many it holds now.
func (w *Wayports) Capacity() (used, capacity int) { return w.arena.used, len(w.arena.nodes) }

// Add makes a pathway. The id of a retired one is used again once all
// its pairs were freed and rested. ErrRange when a range is reversed, overlaps another or has no port.
func (w *Wayports) Add(cfg PathwayConfig) (id uint16, err error) {
	p, err := newPathway(cfg)
	if err != nil {
		return 0, err
	}
	for i := range w.paths {
		if q := &w.paths[i]; w.gone(q) {
			w.forgetAll(q)
			p.cycle = q.cycle + 1
			w.paths[i] = p
			w.paths[i].domain.id = uint16(i)
			return uint16(i), nil
		}
	}
	if len(w.paths) > 0xffff {
		return 0, fmt.Errorf("add pathway: 65536 exist: %w", ErrPathway)
	}
	p.domain.id = uint16(len(w.paths))
	w.paths = append(w.paths, p)
	return p.id, nil
}

// gone tells whether the id of a pathway may be used again.
func (w *Wayports) gone(p *pathway) bool {
	if p.retired {
		w.settle(p, len(w.arena.nodes))
	}
	return p.retired && p.live == 0 && p.resting == 0
}

// Retire ends a pathway whose waypoint went away: nothing is allocated from it
// any more, its live pairs can still be freed. A pathway that may come back with
// the same addresses must not be retired, or its resting pairs would come back
// under another id.
func (w *Wayports) Retire(id uint16) {
	if p := w.path(id); p != nil {
		p.retired = true
	}
}

func (w *Wayports) path(id uint16) *pathway {
	if int(id) >= len(w.paths) {
		return nil
	}
	return &w.paths[id]
}

// Alloc takes a pair: local is even and ours, peer odd. Errors are ErrMax,
// ErrResting, ErrArena (all counted as refused) and ErrPathway.
func (w *Wayports) Alloc(id uint16, now int64) (local, peer uint16, err error) {
	w.now = max(w.now, now)
	p := w.path(id)
	if p == nil || p.retired {
		return 0, 0, ErrPathway
	}
	w.settle(p, 4)
	if local, peer, err = w.alloc(p); err != nil {
		p.refused++
		return 0, 0, err
	}
	p.up()
	return local, peer, nil
}

func (w *Wayports) alloc(p *pathway) (local, peer uint16, err error) {
	if p.live >= p.max {
		return 0, 0, ErrMax
	}
	if p.mayWalk(w.now) {
		if w.arena.full() && !w.forget(p) {
			return 0, 0, ErrArena
		}
		if local, peer, ok := w.walk(p); ok {
			w.arena.enter(p.id, local, peer)
			return local, peer, nil
		}
	}
	if i := w.popRested(p); i != none {
		n := &w.arena.nodes[i]
		n.setState(nodeLive)
		return n.local, n.peer, nil
	}
	return 0, 0, ErrResting
}

// walk returns the next pair of the permutation that has no node.
func (w *Wayports) walk(p *pathway) (local, peer uint16, ok bool) {
	for try := 0; try < freshTries && p.counter < p.n; try++ {
		local, peer = w.pair(p)
		p.counter++
		if w.arena.find(p.id, local, peer) == none {
			w.peek(p)
			return local, peer, true
		}
	}
	return 0, 0, false
}

// pair is where the walk of a pathway stands.
func (w *Wayports) pair(p *pathway) (local, peer uint16) {
	if x := &p.next; x.place == p.counter+1 && x.cycle == p.cycle {
		return x.local, x.peer
	}
	v := w.perm.at(&p.domain, p.counter)
	return p.local.port(v / p.peer.count), p.peer.port(v % p.peer.count)
}

// peek finds the pair that is next, and asks for what the next walk looks at.
func (w *Wayports) peek(p *pathway) {
	if p.counter < p.n {
		local, peer := w.pair(p)
		p.next = nextPair{p.counter + 1, p.cycle, local, peer}
		prefetch(unsafe.Pointer(w.arena.head(p.id, local, peer)))
	}
}

// Claim makes a given pair live for a recovered session, whether it rests or
// not, and beyond Max. It returns false when the pair is live already, is not
// one of the pathway, or the arena is full.
func (w *Wayports) Claim(id, local, peer uint16, now int64) bool {
	w.now = max(w.now, now)
	p := w.path(id)
	if p == nil || p.retired || !p.has(local, peer) {
		return false
	}
	i := w.arena.find(id, local, peer)
	if i != none && w.arena.nodes[i].state() == nodeLive {
		return false
	}
	if w.arena.full() && !w.forget(p) {
		return false
	}
	// Forgetting may have dropped the very node of this pair.
	if i = w.arena.find(id, local, peer); i != none {
		w.ghost(p, i)
	}
	w.arena.enter(id, local, peer)
	p.up()
	return true
}

// Free gives a live pair back. It rests 60 s from its last packet, 10 s when
// TCP closed both ways; lastPacket 0 means now. A pair that is not live is
// counted and answered with false.
func (w *Wayports) Free(id, local, peer uint16, lastPacket, now int64, closedTCP bool) bool {
	w.now = max(w.now, now)
	p := w.path(id)
	if p == nil {
		return false
	}
	i := w.arena.find(id, local, peer)
	if i == none || w.arena.nodes[i].state() != nodeLive {
		p.unknown++
		return false
	}
	w.settle(p, 4)
	if lastPacket <= 0 || lastPacket > w.now {
		lastPacket = w.now
	}
	q, rest := &p.queues[restLong], int64(RestTime)
	if closedTCP {
		q, rest = &p.queues[restShort], RestTimeClosed
	}
	w.enqueue(p, q, i, restTick(lastPacket+rest))
	return true
}

// Advance tells the time and settles a bounded number of pairs whose rest is
// over. Alloc and Free do the same for their pathway.
func (w *Wayports) Advance(now int64) {
	w.now = max(w.now, now)
	for range 8 {
		if w.ring < 0 {
			return
		}
		p := &w.paths[w.ring]
		w.ring = p.ringNext
		w.settle(p, 16)
	}
}

// Stats returns the figures of a pathway as of the newest time told.
func (w *Wayports) Stats(id uint16) PathwayStats {
	p := w.path(id)
	if p == nil {
		return PathwayStats{}
	}
	w.settle(p, len(w.arena.nodes))
	return PathwayStats{
		InUse: p.live, Resting: p.resting, Free: int(p.n) - p.live - p.resting, Highest: p.highest,
		Refused: p.refused, Forgotten: p.forgotten, Unknown: p.unknown, Pairs: int(p.n), Max: p.max,
	}
}
