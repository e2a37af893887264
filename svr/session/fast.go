package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// sweepTicks is how many ticks one look at all sessions takes that the lane in
// the kernel forwards: their FINs pass without us.
const sweepTicks = 64

// setSimple says whether session r may go the short way, and publishes it to
// the lane in the kernel: the only place that does.
func (e *Engine) setSimple(r *record, on bool) {
	if r.simple == on {
		return
	}
	if on {
		r.simple = true
		e.publishFlags(r)
		r.tcp.blind = e.fast(r)
		return
	}
	e.refresh(r)
	r.simple = false
	e.publishFlags(r)
	if r.tcp.blind {
		r.tcp.blind = false
		r.tcp.forget()
	}
}

// fast says whether the lane in the kernel may forward session r.
func (e *Engine) fast(r *record) bool {
	return e.cfg.Fast && r.simple && (r.inner.Proto == packet.ProtoTCP || r.inner.Proto == packet.ProtoUDP)
}

// publishFlags tells the lane in the kernel of r.simple.
func (e *Engine) publishFlags(r *record) {
	if !e.cfg.Fast {
		return
	}
	for _, s := range r.slot {
		if s != none {
			e.table.SetFlags(s, e.fastFlags(r, e.table.Action(s).MTU))
		}
	}
}

// fastFlags are the flags of an action of session r with this MTU.
func (e *Engine) fastFlags(r *record, mtu uint16) uint16 {
	if !e.fast(r) || mtu == 0 {
		return 0
	}
	return pool.FlagFast | min(mtu, pool.FlagMTU)
}

// refresh takes over what the lane in the kernel saw of session r: when the
// last packet passed, and FINs. Data behind a RST makes it a lie.
func (e *Engine) refresh(r *record) {
	if !e.fast(r) {
		return
	}
	for d, s := range r.slot {
		if s == none {
			continue
		}
		_, _, seen, flags := e.table.Counters(s)
		seen = min(seen, e.now)
		if r.tcp.reset && seen > r.active+second {
			r.tcp.reset = false
		}
		r.active = max(r.active, seen)
		if flags&flagFIN != 0 && r.inner.Proto == packet.ProtoTCP {
			r.tcp.bits[d] |= tcpFIN
		}
	}
}

// reopened notes that a new connection took the place of a closed one.
func (e *Engine) reopened(r *record, closed bool) {
	if !closed || !e.fast(r) {
		return
	}
	r.tcp.blind = true
	for _, s := range r.slot {
		e.table.ClearTCP(s)
	}
}

// sweep looks at some of the TCP sessions in the kernel's hands and arms the
// timers of those that closed.
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
		if !r.used || r.inner.Proto != packet.ProtoTCP || r.tcp.closedBothWays() || !e.fast(r) {
			continue
		}
		if e.refresh(r); r.tcp.closedBothWays() {
			e.arm(i)
		}
	}
}

// forget drops the numbers of a connection whose data went another way: the
// next segment of each direction begins anew.
func (t *tcpState) forget() {
	t.bits[0] &^= tcpKnown | tcpAcked
	t.bits[1] &^= tcpKnown | tcpAcked
}
