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
	// for the answers of all of them have the time that one may take.
	healthTries = 3
	// healthGap is how long a good answer is good for.
	healthGap = 5 * second
)

// healthCheck is the check of one watched direction.
type healthCheck struct {
	tries uint8
	asked int64 // when the last one left
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
	switch {
	case e.watch.path[id].heard >= w.since, h.good != 0 && e.now-h.good < healthGap:
		h.answered() // the path works
	case unanswered < unansweredLeast:
	case h.tries < healthTries:
		h.tries++
		h.asked = e.now
		e.askHealth(i, l, h.tries > 1)
	case e.now-h.asked >= e.answerTime(id):
		if d := &e.watch.path[id]; d.unwell == 0 || h.asked < d.unwell {
			d.unwell = h.asked // the doubt that is oldest stays the same one
		}
	}
}

// consider tells of paths where big packets vanish, and of those whose health
// checks had no answer.
func (e *Engine) consider() {
	for id := range e.watch.path {
		if e.watch.path[id].bigs >= bigEnough {
			e.doubt(policy.PathID(id))
		}
		if asked := e.watch.path[id].unwell; asked > 0 {
			e.cfg.Watcher.NoData(policy.PathID(id), asked)
		}
	}
}

// askHealth sends a request on leg l of session i.
func (e *Engine) askHealth(i uint32, l int, again bool) {
	m := &e.meta
	m.head, m.body = wire.Header{}, wire.Payload{}
	m.head.SetSecurityID(keyIndex)
	m.head.SetControl(wire.ControlKeepAlive)
	if again {
		m.head.SetHealthCheck(wire.HealthTimeout)
		e.stats.Add(HealthTimeout, 1)
	} else {
		m.head.SetHealthCheck(wire.HealthRequest)
	}
	if e.sendControl(i, l) {
		e.stats.Add(SentHealth, 1)
	}
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
