package bfd

import "waymark/svr/wire"

// poll is a poll sequence (RFC 5880 6.5).
type poll struct {
	on    bool
	since int64 // when its first packet left, 0: not yet
	again bool  // another one waits
	// notBefore is when another may begin: a round trip after the last answer,
	// or as soon as a packet without the final bit came.
	notBefore int64
}

// Poll asks the peer for a sign of life, without any change.
func (m *Machine) Poll(now int64) {
	if m.state == wire.BFDUp {
		m.startPoll(now)
	}
}

// Polling tells whether a poll sequence is under way.
func (m *Machine) Polling() bool { return m.poll.on }

func (m *Machine) startPoll(now int64) {
	if m.poll.on || now < m.poll.notBefore {
		m.poll.again = true
		return
	}
	m.poll = poll{on: true}
	m.sent.next = now
}

// pollEnds: the peer answered. What the poll was about is in force now.
func (m *Machine) pollEnds(now int64) {
	if !m.poll.on || m.poll.since == 0 {
		return
	}
	m.poll = poll{again: m.poll.again, notBefore: now + (now - m.poll.since)}
	if !m.poll.again { // else the newest wishes wait for their own poll
		m.tx, m.rx = m.cfg.DesiredTx, m.cfg.RequiredRx
	}
	m.reschedule(now)
}

// clear: a packet without the final bit shows that the peer saw the end of the
// last poll.
func (p *poll) clear(final bool) {
	if !final && !p.on {
		p.notBefore = 0
	}
}

// pollAgain begins the poll that had to wait.
func (m *Machine) pollAgain(now int64) {
	if m.poll.again && !m.poll.on && now >= m.poll.notBefore && m.state == wire.BFDUp {
		m.startPoll(now)
	}
}

// watchDemand polls when demand mode begins or ends: the demand bit is content
// that the peer must have seen (RFC 5880 6.6).
func (m *Machine) watchDemand(now int64) {
	if m.state == wire.BFDUp && m.demanding() != m.sent.demand && !m.poll.on {
		m.startPoll(now)
	}
}

// SetIntervals changes what we want of the session, in microseconds. While it is
// up the peer learns it by a poll; a longer tx and a shorter rx wait for its end.
func (m *Machine) SetIntervals(tx, rx uint32, now int64) {
	if tx == m.cfg.DesiredTx && rx == m.cfg.RequiredRx {
		return
	}
	m.cfg.DesiredTx, m.cfg.RequiredRx = tx, rx
	if m.state != wire.BFDUp {
		m.tx, m.rx = tx, rx
		m.reschedule(now)
		return
	}
	m.startPoll(now)
	if tx < m.tx {
		m.tx = tx
		m.reschedule(now)
		m.sent.next = now // the poll itself
	}
	if rx > m.rx {
		m.rx = rx
	}
}

// SetMultiplier changes our detection multiplier.
func (m *Machine) SetMultiplier(n uint8, now int64) {
	if n == m.cfg.Multiplier {
		return
	}
	m.cfg.Multiplier = n
	if m.state == wire.BFDUp && m.remote.demand {
		m.startPoll(now)
		return
	}
	m.urge(now)
	m.sent.urgent = 1
}

// SetDemand asks the peer for silence while both sides are up, or for packets
// again.
func (m *Machine) SetDemand(on bool, now int64) {
	if on == m.cfg.Demand {
		return
	}
	m.cfg.Demand = on
	if !on && m.heard != 0 {
		m.heard = now // silence until now was what we wanted
	}
	m.watchDemand(now)
}
