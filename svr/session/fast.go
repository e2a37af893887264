package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// sweepTicks is how many ticks one look at all sessions takes that the lane in
// the kernel forwards: their FINs pass without us.
const sweepTicks = 64

// lendWithin is how long a session may wait for Lend, in nanoseconds, and
// maxOffers how many may.
const (
	lendWithin = 20e6
	maxOffers  = 1024
)

// watchPasses is for how many such looks the numbers of a connection are
// followed after an ICMP error about it.
const watchPasses = 2

// short tells which directions of a session go the short way: nothing but
// addresses to change. It stands in session records, so its values stay.
type short uint8

const (
	shortNone short = iota
	shortBoth
	shortForward
)

// has tells whether packets that arrive on leg d go the short way.
func (s short) has(d int) bool { return s == shortBoth || s == shortForward && d == 0 }

// setSimple says which directions of session r may go the short way: the only
// place that does. What may not is taken back from the lane in the kernel at
// once; what may is offered to it (Lend).
func (e *Engine) setSimple(r *record, s short) {
	if r.short() == s {
		return
	}
	if r.short() != shortNone {
		e.refresh(r)
		r.setShort(shortNone)
		r.put(recLent, false)
		e.relend(r)
	}
	r.setShort(s)
	e.relend(r)
}

// fast says whether the lane in the kernel may forward session r.
func (e *Engine) fast(r *record) bool {
	return e.cfg.Fast && r.short() != shortNone && (r.proto == packet.ProtoTCP || r.proto == packet.ProtoUDP)
}

// inKernel says whether the lane in the kernel has session r. A connection at its
// end, or about which an error came, it has not: we must see sequence numbers.
func (e *Engine) inKernel(r *record) bool { return r.is(recLent) && e.mayLend(r) }

func (e *Engine) mayLend(r *record) bool {
	return e.fast(r) && !r.tcp.closedBothWays() && r.tcp.watched() == 0
}

// relend takes session r from the lane in the kernel, or offers it: that lane
// gets it by Lend, when what we sent of it has left.
func (e *Engine) relend(r *record) {
	if !e.cfg.Fast {
		return
	}
	if !e.mayLend(r) {
		r.put(recLent, false)
		e.publishFlags(r)
		return
	}
	if !r.is(recLent) && len(e.offers) < cap(e.offers) { // else by sweep
		if len(e.offers) == 0 {
			e.offered = e.now
		}
		e.offers = append(e.offers, e.table.Owner(r.slot[0])>>1)
	}
}

// Lend gives the lane in the kernel the sessions that became its. Call it when
// everything that was sent has left, and packets of theirs that came before do
// not wait any more: that lane would overtake them.
func (e *Engine) Lend() {
	if e.withheld {
		return
	}
	if len(e.offers) > 0 && e.cfg.Later != nil {
		e.cfg.Later.Await(newest)
	}
	for _, i := range e.offers {
		if r := &e.recs[i]; r.is(recUsed) && !r.is(recLent) && e.mayLend(r) {
			r.put(recLent, true)
			e.publishFlags(r)
		}
	}
	e.offers = e.offers[:0]
}

// Withhold keeps sessions from the lane in the kernel for as long as it is told to;
// those that are lent stay so. For a lane that does not see them yet.
func (e *Engine) Withhold(on bool) { e.withheld = on }

// lendLate does so between two batches when it was not called for too long:
// rather late packets than a queue that never ends.
func (e *Engine) lendLate() {
	if len(e.offers) > 0 && e.now-e.offered > lendWithin {
		e.Lend()
	}
}

// publishFlags tells the lane in the kernel whether it has session r. The
// numbers of a connection that comes back begin anew.
func (e *Engine) publishFlags(r *record) {
	for d, s := range r.slot {
		if s == none {
			continue
		}
		old := e.table.Flags(s)
		if f := e.flags(r, d, int(old&pool.FlagMTU)); f != old {
			e.table.SetFlags(s, f)
		}
	}
	if blind := e.inKernel(r); blind != r.tcp.blind() {
		r.tcp.forget(blind)
	}
}

// flags are those of an action of direction d of session r with this MTU.
func (e *Engine) flags(r *record, d, mtu int) uint16 {
	f := uint16(min(mtu, pool.FlagMTU))
	if f != 0 && r.short().has(d) && e.inKernel(r) {
		f |= pool.FlagFast
	}
	if r.leg[d].kind() == kindSVR {
		f |= pool.FlagPeer
	}
	return f
}

// refresh takes over what the lane in the kernel saw of session r: when the
// last packet passed, and FINs.
func (e *Engine) refresh(r *record) {
	if !e.fast(r) {
		return
	}
	closed := r.tcp.closedBothWays()
	for d, s := range r.slot {
		if s == none {
			continue
		}
		_, _, seen, flags := e.table.Counters(s)
		if seen = min(seen, e.now); seen > r.active.time(e.now) {
			r.active = stampOf(seen)
		}
		if flags&flagFIN != 0 && r.proto == packet.ProtoTCP {
			r.tcp.bits[d] |= tcpFIN
		}
	}
	e.turned(e.table.Owner(r.slot[0])>>1, closed)
}

// turned acts when a connection came to its end, or went on behind it; closed
// is how it was before. The lane in the kernel believes any RST and any two
// FINs, so an ended connection is ours: new data proves them a lie.
func (e *Engine) turned(i uint32, closed bool) {
	r := &e.recs[i]
	if closed == r.tcp.closedBothWays() {
		return
	}
	if e.fast(r) {
		if closed {
			e.table.ClearTCP(r.slot[0])
			e.table.ClearTCP(r.slot[1])
		}
		e.relend(r)
	}
	e.arm(i)
}

// quoted says whether an ICMP error about sequence number seq of direction d is
// to be believed. While the lane in the kernel has the connection we do not
// know: it is ours for a while then, and the error that comes again counts.
func (e *Engine) quoted(r *record, seq uint32, d int) bool {
	if !r.tcp.blind() {
		return r.tcp.quoted(seq, d)
	}
	r.tcp.watch(watchPasses)
	e.relend(r)
	return false
}

// unwatch ends a look at the numbers of session r when its time is over.
func (e *Engine) unwatch(r *record) {
	if n := r.tcp.watched(); n > 0 {
		r.tcp.watch(n - 1)
	}
	if !r.is(recLent) {
		e.relend(r)
	}
}

// sweep looks at some of the sessions that may be in the kernel's hands. TCP ones may
// have closed; when the last packet of others passed, in slots that no cache has by
// now, is early enough to know when they may be over (onTimer).
func (e *Engine) sweep() {
	if !e.cfg.Fast {
		return
	}
	n := e.virginRec/sweepTicks + 1
	for ; n > 0 && e.virginRec > 0; n-- {
		if e.swept >= e.virginRec {
			e.swept = 0
		}
		i := e.swept
		e.swept++
		r := &e.recs[i]
		if r.is(recUsed) && !r.tcp.closedBothWays() && e.fast(r) {
			if r.proto == packet.ProtoTCP {
				e.refresh(r)
			}
			e.unwatch(r)
		}
	}
}

// forget drops the numbers of a connection whose data went another way: the
// next segment of each direction begins anew. blind: the lane in the kernel
// forwards data from now on.
func (t *tcpState) forget(blind bool) {
	t.put(tcpBlind, blind)
	t.bits[0] &^= tcpKnown | tcpAcked
	t.bits[1] &^= tcpKnown | tcpAcked
}
