package session

import "waymark/svr/packet"

// Limits of a handshake that nobody answers (docs/wire.md 10).
const (
	handshakeTime    = 10 * second
	handshakePackets = 64
)

// answerWithin is how long forward metadata may wait for a packet that carries
// our answer.
const answerWithin = second / 5

// closedRest is how long a session stays after TCP closed both ways, for late
// segments.
const closedRest = 10 * second

// deadline is when session r ends if nothing happens before.
func (e *Engine) deadline(r *record) int64 {
	active := r.active.time(e.now)
	if r.tcp.closedBothWays() {
		return active + closedRest
	}
	idle, initial := e.tables.Timeout(r.service, r.proto, r.port[1])
	if !r.is(recAnswered) {
		return active + int64(initial)
	}
	return active + int64(idle)
}

// arm schedules the next look at session i.
func (e *Engine) arm(i uint32) {
	r := &e.recs[i]
	next := e.deadline(r)
	for l := range r.leg {
		g := &r.leg[l]
		if g.due != 0 {
			next = min(next, g.due.time(e.now))
		}
		if g.signal() && g.role() == roleInitiator && !r.heard(l) {
			next = min(next, g.since.time(e.now)+handshakeTime)
		}
		next = min(next, e.keepAt(r, l))
	}
	e.wheel.Schedule(i, max(next, e.now+1))
}

// onTimer looks at session i: late answers first, then its end.
func (e *Engine) onTimer(i uint32) {
	r := &e.recs[i]
	if !r.is(recUsed) {
		return
	}
	if r.proto == packet.ProtoTCP || e.deadline(r) <= e.now { // what the kernel saw only prolongs others
		e.refresh(r)
	}
	for l := range r.leg {
		if g := &r.leg[l]; g.due != 0 && g.due.time(e.now) <= e.now {
			if g.role() == roleInitiator {
				e.nudge(i)
			} else {
				e.sendDisable(i, l)
			}
		}
		if e.unheard(r, l) {
			e.giveUp(i, l)
			return
		}
	}
	if e.deadline(r) <= e.now {
		e.stats.Add(SessionTimeout, 1)
		e.tellClosed(i)
		e.remove(i)
		return
	}
	e.keepAlive(i)
	e.arm(i)
}

// unheard says whether the peer of leg l never answered and had its chance.
func (e *Engine) unheard(r *record, l int) bool {
	g := &r.leg[l]
	return g.signal() && g.role() == roleInitiator && !r.heard(l) &&
		(e.now-g.since.time(e.now) >= handshakeTime || g.count >= handshakePackets)
}

// giveUp refuses a session whose peer does not answer.
func (e *Engine) giveUp(i uint32, l int) {
	e.stats.Add(HandshakeTimeout, 1)
	if e.cfg.Alarms != nil {
		e.cfg.Alarms.PathSuspected(e.recs[i].leg[l].path)
	}
	e.remove(i)
}
