package pool

import "fmt"

// Queues of a pathway.
const (
	restLong  = iota // rest of 60 s, in the order of Free
	restShort        // rest of 10 s, in the order of Free
	restDone         // rest is over, in the order of its end
	queues
)

// pathway is the pool between one local and one peer waypoint.
type pathway struct {
	domain             // its permutation, n pairs
	local, peer        portSet
	max                int
	counter            uint32 // walk: next element of the permutation
	next               nextPair
	queues             [queues]queue
	live, resting      int
	highest            int
	refused            uint64
	forgotten          uint64
	unknown            uint64
	again              bool  // something was forgotten in this walk
	forgotAt           int64 // when a pair that still rested was forgotten last
	retired            bool
	ringNext, ringPrev int32 // ring of pathways with queued nodes, -1 outside
}

// nextPair is the pair at a place of the walk of a cycle.
type nextPair struct {
	place       uint32 // the counter there, and one: 0 is none
	cycle       uint32
	local, peer uint16
}

func newPathway(cfg PathwayConfig) (p pathway, err error) {
	if len(cfg.Local) == 0 {
		cfg.Local = defaultLocal
	}
	if len(cfg.Peer) == 0 {
		cfg.Peer = defaultPeer
	}
	if p.local, err = newPortSet(cfg.Local, even); err != nil {
		return p, fmt.Errorf("add pathway: local: %w", err)
	}
	if p.peer, err = newPortSet(cfg.Peer, odd); err != nil {
		return p, fmt.Errorf("add pathway: peer: %w", err)
	}
	if p.max = cfg.Max; p.max <= 0 {
		p.max = DefaultMaxWaypoints
	}
	p.domain = newDomain(p.local.count*p.peer.count, 0)
	p.ringNext, p.ringPrev = -1, -1
	return p, nil
}

// has tells whether a pair is one of the pathway's.
func (p *pathway) has(local, peer uint16) bool {
	_, ok := p.number(local, peer)
	return ok
}

// number returns the number of a pair, as the permutation counts.
func (p *pathway) number(local, peer uint16) (uint32, bool) {
	l, ok := p.local.index(local)
	r, ok2 := p.peer.index(peer)
	return l*p.peer.count + r, ok && ok2
}

// up counts a pair that became live.
func (p *pathway) up() {
	p.live++
	p.highest = max(p.highest, p.live)
}

// sparse tells whether at most an eighth of the pairs is live or rests, so that
// a walk meets a pair without node at once.
func (p *pathway) sparse() bool { return uint64(p.live+p.resting)*8 <= uint64(p.n) }

// mayWalk tells whether the permutation has elements left, and begins a new
// walk where that is safe.
func (p *pathway) mayWalk(now int64) bool {
	if p.counter < p.n {
		return true
	}
	if !p.again || p.forgotAt != 0 && now-p.forgotAt < RestTime {
		return false
	}
	p.counter, p.again = 0, false
	p.cycle++
	return true
}

// restShift turns nanoseconds into the ticks of a node, 67 ms: a pair that nobody
// looks at for half an hour after its rest may rest that long again.
const restShift = 26

// restTick rounds up: no pair is released early.
func restTick(at int64) uint16 { return uint16((at + 1<<restShift - 1) >> restShift) }

// released tells whether the tick of a node has come.
func (w *Wayports) released(tick uint16) bool { return int16(uint16(w.now>>restShift)-tick) >= 0 }

// enqueue lets a live node rest. A node behind one that is released later waits
// for it, which only lengthens its rest, by the time its last packet was ago.
func (w *Wayports) enqueue(p *pathway, q *queue, i uint32, release uint16) {
	n := &w.arena.nodes[i]
	n.setState(nodeRest)
	n.when = release
	q.push(&w.arena, i)
	p.live--
	p.resting++
	w.join(p)
}

// settle takes up to n nodes whose rest is over, and ghosts, off each resting
// queue. In a pathway that is nearly empty the walk finds their pairs again as
// well without them, so they make room; otherwise they wait to be reused.
func (w *Wayports) settle(p *pathway, n int) {
	for k := range restDone {
		q := &p.queues[k]
		for j := 0; j < n && q.head != 0; j++ {
			h := &w.arena.nodes[q.head-1]
			if h.state() == nodeGhost {
				w.arena.put(q.pop(&w.arena))
				continue
			}
			if !w.released(h.when) {
				break
			}
			p.resting--
			if i := q.pop(&w.arena); p.sparse() {
				w.drop(p, i)
			} else {
				h.setState(nodeDone)
				p.queues[restDone].push(&w.arena, i)
			}
		}
	}
	w.part(p)
}

// popRested takes the pair that rested longest out of its queue, or none.
func (w *Wayports) popRested(p *pathway) uint32 {
	q := &p.queues[restDone]
	for q.head != 0 {
		i := q.pop(&w.arena)
		if w.arena.nodes[i].state() != nodeGhost {
			w.part(p)
			return i
		}
		w.arena.put(i)
	}
	w.part(p)
	return none
}

// ghost takes a queued node out of the hash and leaves it in its queue until
// its turn comes.
func (w *Wayports) ghost(p *pathway, i uint32) {
	n := &w.arena.nodes[i]
	if n.state() == nodeRest {
		p.resting--
	}
	w.arena.leave(i)
	n.setState(nodeGhost)
}
