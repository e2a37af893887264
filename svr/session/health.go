package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/wire"
)

// A health check asks the peer of a session, on the session's own tuple, whether
// it still has it (docs/wire.md 3). A peer that lost it asks for metadata
// instead; a path whose checks have no answer at all carries no data.

const (
	// unansweredLeast is how many packets without answer make a session ask: a
	// sender that says something once more has missed an answer, too.
	unansweredLeast = 2
	// healthTries is how often it asks before the path is doubted: at every look,
	// for the answers of all of them have the time that one may take. While it waits
	// it goes on asking: where much is lost, one answer of many comes.
	healthTries = 3
	// asksEach is how many of a path's sessions may ask at a look: whoever loses
	// packets because there are too many is not helped by more.
	asksEach = 16
	// doubtFor is when a doubt that came to nothing gives way to a new one.
	doubtFor = 2 * second
	// lateness: who looks so long after a packet arrived cannot tell what is missing.
	lateness = second / 10
	// shedFor is how long it counts that the peer said it sheds load.
	shedFor = second
	// healthGap is how long a good answer, or one to another session, is good for.
	healthGap = 5 * second
)

// healthCheck is the check of one watched direction.
type healthCheck struct {
	tries uint8
	asked int64 // when the last one of the first healthTries left
	good  int64 // last answer
}

// answered: something came back.
func (h *healthCheck) answered() { h.tries = 0 }

// pending: an answer is waited for.
func (h *healthCheck) pending() bool { return h.tries > 0 }

// checkHealth asks the peer of leg l of session i, which sends and hears
// nothing, if no other session on the path hears anything either.
func (e *Engine) checkHealth(w *watched, i uint32, l int, unanswered uint32) {
	id, h := e.recs[i].leg[l].path, &w.health
	d := &e.watch.path[id]
	switch {
	case d.heard >= max(w.since, e.now-healthGap), h.good != 0 && e.now-h.good < healthGap:
		h.answered() // the path works
	case unanswered < unansweredLeast:
	case e.excused(id):
		h.answered()
	default:
		if waited := e.now - h.asked; h.tries == healthTries && waited >= e.answerTime(id) {
			if d.unwell == 0 || h.asked < d.unwell {
				d.unwell = h.asked // the doubt that is oldest stays the same one
			}
			if waited >= e.answerTime(id)+doubtFor {
				h.answered()
			}
		}
		e.askMore(h, d, i, l)
	}
}

// askMore sends one more health check, if enough of the path's did not yet.
func (e *Engine) askMore(h *healthCheck, d *pathDoubts, i uint32, l int) {
	if d.asks == asksEach || !e.askHealth(i, l, h.tries > 0) {
		return
	}
	d.asks++
	if h.tries < healthTries {
		h.tries++
		h.asked = e.now
	}
}

// excused says that answers may be missing on a path because one of the two routers
// has more to do than it can: we lose what arrives or have not looked at it yet, or
// the peer says that of itself. Then it is not asked.
func (e *Engine) excused(id policy.PathID) bool {
	shed := e.cfg.Paths.Status(uint16(id)).Shedding
	return e.now-e.seen(id) > lateness || shed != 0 && e.now-shed < shedFor
}

// seen is the time up to which what arrived on a path's interface is known.
func (e *Engine) seen(id policy.PathID) int64 {
	if e.cfg.Seen == nil {
		return e.now
	}
	return e.cfg.Seen(uint16(e.tables.Paths[id].If))
}

// consider tells of paths where big packets vanish, and of those whose health
// checks had no answer.
func (e *Engine) consider() {
	for id := range e.watch.path {
		if e.watch.path[id].bigs >= bigEnough {
			e.doubt(policy.PathID(id))
		}
		if asked := e.watch.path[id].unwell; asked > 0 {
			e.cfg.Watcher.NoData(policy.PathID(id), asked, e.seen(policy.PathID(id)))
		}
	}
}

// askHealth sends a request on leg l of session i; false: it could not.
func (e *Engine) askHealth(i uint32, l int, again bool) bool {
	m := &e.meta
	m.head, m.body = wire.Header{}, wire.Payload{}
	m.head.SetSecurityID(keyIndex)
	m.head.SetControl(wire.ControlKeepAlive)
	m.head.SetHealthCheck(wire.HealthRequest)
	if again {
		m.head.SetHealthCheck(wire.HealthTimeout)
		e.stats.Add(HealthTimeout, 1)
	}
	if !e.sendControl(i, l) {
		return false
	}
	e.stats.Add(SentHealth, 1)
	return true
}

// answerHealth tells the peer of leg d that session i lives.
func (e *Engine) answerHealth(i uint32, d int) {
	r := &e.recs[i]
	if !e.healths.take(e.now) {
		e.stats.Add(DropRateLimit, 1)
		return
	}
	m := &e.meta
	wire.HealthAnswer(&m.head, &m.body, keyIndex, r.uuid, e.ctx(r, 1-d), r.leg[d].role() == roleInitiator)
	if e.sendControl(i, d) {
		e.stats.Add(SentHealthAnswer, 1)
	}
}

// healthy: the peer of leg d says that it has session i.
func (e *Engine) healthy(i uint32, d int) {
	who := i<<1 | uint32(d)
	if len(e.watch.list) == 0 {
		return
	}
	if w := &e.watch.list[who%watchRoom]; w.who == who+1 {
		w.health.answered()
		w.health.good = e.now
		e.watch.path[e.recs[i].leg[d].path].heard = e.now
	}
}

// askedHere answers a health check on a tuple that belongs to no session: a peer
// that proved itself is asked for metadata.
func (e *Engine) askedHere(p *packet.Packet) {
	if id := e.provenPath(p); id != policy.NoPath {
		e.askMetadata(p, id)
	}
}

// checkInactive asks about a session that had no answer for the time of
// session-recovery-detection, mode inactivity-based.
func (e *Engine) checkInactive(i uint32, l int) {
	limit := int64(e.tables.Inactivity)
	if limit == 0 {
		return
	}
	r := &e.recs[i]
	g := &r.leg[l]
	_, _, sent, _ := e.table.Counters(r.slot[1-l])
	_, _, heard, _ := e.table.Counters(r.slot[l])
	if sent-heard < limit || e.now-sent > limit {
		return
	}
	if !e.elapsed(g.spoke, min(limit, longestBeat)) {
		return
	}
	g.spoke = beatOf(e.now)
	e.askHealth(i, l, false)
}
