package lane

import (
	"unsafe"

	"waymark/svr/packet"
	"waymark/svr/seal"
)

// Seal is Send for a packet of which only what o orders is missing. The packet is
// the lane's until Await returns for the mark.
func (l *Lane) Seal(p *packet.Packet, ifc, hop uint16, o *seal.Order) (mark uint64) {
	l.transmit(p, ifc, hop, o)
	return l.pool.next
}

// Await returns when what was sent with a mark has left.
func (l *Lane) Await(mark uint64) {
	l.reap()
	if mark >= l.pool.first {
		l.settleWorkers()
	}
}

// transmit is Send and Seal.
func (l *Lane) transmit(p *packet.Packet, ifc, hop uint16, o *seal.Order) {
	it := l.iface(ifc)
	if it == nil {
		l.counters.NoInterface++
		return
	}
	if int(hop) >= len(l.hops.slots) {
		l.counters.NoHop++
		return
	}
	h := &l.hops.slots[hop]
	if h.state != HopResolved {
		l.holdSealed(p, ifc, hop, h, o)
		return
	}
	l.small.markSent(unsafe.SliceData(p.Buf))
	l.large.markSent(unsafe.SliceData(p.Buf))
	if len(l.pool.list) == 0 {
		it.port.send(p, it, h.mac, hop)
		return
	}
	l.pool.queue(p, o, it, h, hop)
}

// holdSealed keeps p, as it will leave, until its next-hop answers.
func (l *Lane) holdSealed(p *packet.Packet, ifc, hop uint16, h *hopEntry, o *seal.Order) {
	if o != nil && h.state == HopUnresolved {
		it := seal.Item{Packet: *p, Order: *o}
		if l.pool.sealer.Seal(&it); it.Failed {
			return
		}
		p = &it.Packet
	}
	l.hold(p, ifc, hop, h)
}

// flush sends everything queued and ends the batch, which took its frames from r,
// if from a ring. Without workers its buffers are free afterwards. With them they
// are when the workers are done; no more than Flights batches wait for that. more:
// there is something to do for the loop meanwhile.
func (l *Lane) flush(r *ring, more bool) {
	l.longs = 0
	l.sendOwn()
	s := &l.pool
	f := s.flight(s.next)
	*f = flight{ring: r, spare: [...]int{len(l.small.taken), len(l.large.taken)}}
	if r != nil {
		f.frames = r.batch()
	}
	for n := s.first; n < s.next; n++ {
		for i, taken := range s.flight(n).spare {
			f.spare[i] -= taken
		}
	}
	for i, w := range s.list {
		f.at[i] = w.queued
	}
	s.next++
	s.give(!more)
	l.reap()
	for s.next-s.first > Flights {
		l.waitOldest()
	}
}

// reap frees the memory of the batches that have left.
func (l *Lane) reap() {
	s := &l.pool
	for s.first < s.next {
		f := s.flight(s.first)
		if !s.landed(f) {
			return
		}
		if f.ring != nil {
			f.ring.release(f.frames)
		}
		l.small.release(f.spare[Small])
		l.large.release(f.spare[Large])
		s.first++
	}
}

// waitOldest waits until the oldest batch has left.
func (l *Lane) waitOldest() {
	s := &l.pool
	f := s.flight(s.first)
	for i, w := range s.list {
		w.await(f.at[i])
	}
	l.reap()
}

// settleWorkers waits until everything that was queued has left. It changes
// nothing for the batch at hand, whose buffers stay taken.
func (l *Lane) settleWorkers() {
	l.pool.drain()
	l.reap()
}

// sendOwn sends what the loop queued by itself.
func (l *Lane) sendOwn() {
	for _, p := range l.ports {
		p.flush()
	}
}

// send1 sends everything queued; buffers that were not sent stay taken.
func (l *Lane) send1() {
	l.sendOwn()
	l.settleWorkers()
}
