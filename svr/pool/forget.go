package pool

// forgetLook bounds how many other pathways one allocation looks at for a node
// it may forget.
const forgetLook = 8

// forget frees a node when the arena is full: a rested pair of p, of another
// pathway, then the one of p that rests longest, then of another. It returns
// false when none may go.
func (w *Wayports) forget(p *pathway) bool {
	if w.forgetRested(p) || w.others(w.forgetRested) {
		return true
	}
	return w.forgetResting(p) || w.others(w.forgetResting)
}

// others tries f on the next pathways of the ring.
func (w *Wayports) others(f func(*pathway) bool) bool {
	for range forgetLook {
		if w.ring < 0 {
			return false
		}
		p := &w.paths[w.ring]
		w.ring = p.ringNext
		if f(p) {
			return true
		}
	}
	return false
}

// forgetRested drops the pair of p that is rested longest, or a ghost.
func (w *Wayports) forgetRested(p *pathway) bool {
	used := w.arena.used
	w.settle(p, 4)
	if w.arena.used < used {
		return true // ghosts went
	}
	i := w.popRested(p)
	if i == none {
		return w.arena.used < used
	}
	w.drop(p, i)
	return true
}

// forgetResting drops the pair of p that is released next and that the walk has
// passed.
func (w *Wayports) forgetResting(p *pathway) bool {
	long, short := &p.queues[restLong], &p.queues[restShort]
	if w.later(long, short) {
		long, short = short, long
	}
	return w.forgetHead(p, long) || w.forgetHead(p, short)
}

// later tells whether the head of a is released after that of b.
func (w *Wayports) later(a, b *queue) bool {
	if a.head == 0 || b.head == 0 {
		return a.head == 0
	}
	return int16(w.arena.nodes[a.head-1].when-w.arena.nodes[b.head-1].when) > 0
}

func (w *Wayports) forgetHead(p *pathway, q *queue) bool {
	if q.head == 0 {
		return false
	}
	n := &w.arena.nodes[q.head-1]
	if n.state() == nodeGhost {
		w.arena.put(q.pop(&w.arena))
		w.part(p)
		return true
	}
	if v, ok := p.number(n.local, n.peer); ok && w.perm.position(&p.domain, v) >= p.counter {
		return false // the walk would come to it before it rested
	}
	w.drop(p, q.pop(&w.arena))
	p.resting--
	p.forgotAt = w.now
	p.forgotten++
	w.part(p)
	return true
}

// drop frees a node that left its queue.
func (w *Wayports) drop(p *pathway, i uint32) {
	w.arena.leave(i)
	w.arena.put(i)
	p.again = true
}

// forgetAll empties the queues of a pathway.
func (w *Wayports) forgetAll(p *pathway) {
	for k := range p.queues {
		for q := &p.queues[k]; q.head != 0; {
			i := q.pop(&w.arena)
			if w.arena.nodes[i].state() != nodeGhost {
				w.arena.leave(i)
			}
			w.arena.put(i)
		}
	}
	p.resting = 0
	w.part(p)
}

// join enters a pathway into the ring.
func (w *Wayports) join(p *pathway) {
	if p.ringNext >= 0 {
		return
	}
	id := int32(p.id)
	if w.ring < 0 {
		w.ring, p.ringNext, p.ringPrev = id, id, id
		return
	}
	at := &w.paths[w.ring]
	p.ringNext, p.ringPrev = w.ring, at.ringPrev
	w.paths[at.ringPrev].ringNext = id
	at.ringPrev = id
}

// part takes a pathway without queued nodes out of the ring.
func (w *Wayports) part(p *pathway) {
	if p.ringNext < 0 || p.queues != [queues]queue{} {
		return
	}
	next, prev := p.ringNext, p.ringPrev
	p.ringNext, p.ringPrev = -1, -1
	if next == int32(p.id) {
		w.ring = -1
		return
	}
	w.paths[prev].ringNext, w.paths[next].ringPrev = next, prev
	if w.ring == int32(p.id) {
		w.ring = next
	}
}
