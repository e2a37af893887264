package bfd

import "waymark/svr/wire"

const µs = int64(1000) // nanoseconds

// Never is later than every time of the clock.
const Never = int64(1<<63 - 1)

// draw returns 64 bits of a SplitMix64 generator: jitter must not repeat
// between routers, it need not be secret.
func (m *Machine) draw() uint64 {
	m.random += 0x9e3779b97f4a7c15
	z := m.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// jitter shortens an interval to 75-100 %, to 75-90 % with multiplier 1
// (RFC 5880 6.8.7).
func (m *Machine) jitter(interval int64) int64 {
	span := interval / 4
	if m.cfg.Multiplier == 1 {
		span = interval * 15 / 100
	}
	return interval*3/4 + int64(m.draw()%uint64(span+1))
}

// desiredTx is DesiredMinTxInterval as we tell it.
func (m *Machine) desiredTx() uint32 {
	if m.state != wire.BFDUp {
		return max(m.cfg.DesiredTx, SlowTx, m.slow)
	}
	return m.cfg.DesiredTx
}

// interval is that between our periodic packets in nanoseconds, before jitter.
func (m *Machine) interval() int64 {
	tx := m.tx
	if m.state != wire.BFDUp {
		tx = m.desiredTx()
	}
	return int64(max(tx, m.remote.minRx)) * µs
}

// Intervals returns what is in force, in nanoseconds: between our packets, and
// how long silence may last (0: for ever).
func (m *Machine) Intervals() (tx, detection int64) { return m.interval(), m.detection() }

// Periodic tells whether periodic packets leave now: not to a peer that wants
// none, not to one in demand mode while nothing is polled, and not before the
// peer spoke in the passive role.
func (m *Machine) Periodic() bool {
	switch {
	case m.cfg.Passive && m.remote.disc == 0, m.remote.minRx == 0:
		return false
	case m.remote.demand && m.state == wire.BFDUp && m.remoteState == wire.BFDUp:
		return m.poll.on
	}
	return true
}

// demanding: demand mode is active at our side.
func (m *Machine) demanding() bool {
	return m.cfg.Demand && m.state == wire.BFDUp && m.remoteState == wire.BFDUp
}

// detection returns how long silence may last now, 0 for ever (RFC 5880 6.8.4).
func (m *Machine) detection() int64 {
	switch {
	case m.remote.multiplier == 0:
		return 0
	case m.demanding():
		return int64(m.cfg.Multiplier) * m.interval()
	case m.rx == 0:
		return 0
	}
	return int64(m.remote.multiplier) * int64(max(m.rx, m.remote.minTx)) * µs
}

// deadline is when silence takes the session down. In demand mode only polls
// are waited for.
func (m *Machine) deadline() int64 {
	d, from := m.detection(), m.heard
	if m.demanding() {
		from = m.poll.since
	}
	if d == 0 || from == 0 {
		return Never
	}
	return from + d
}

// expire takes the session down when its time has come. What the peer said is
// void from then on.
func (m *Machine) expire(now int64) {
	if now < m.deadline() {
		return
	}
	m.Fail(now)
}

// setRemoteRx notes RequiredMinRxInterval of the peer. A shorter one counts for
// the packet that waits now.
func (m *Machine) setRemoteRx(rx uint32, now int64) {
	if rx == m.remote.minRx {
		return
	}
	m.remote.minRx = rx
	m.reschedule(now)
}

// reschedule moves the next periodic packet to where today's interval puts it:
// sooner at once, later only behind what had been promised to the peer.
func (m *Machine) reschedule(now int64) {
	next := m.sent.last + m.jitter(m.interval())
	if m.sent.last == 0 {
		next = now
	}
	m.sent.next = max(now, next)
}

// Next returns when Due must be asked again, Never if only a packet can change
// anything.
func (m *Machine) Next() int64 {
	next := m.deadline()
	if m.sent.final {
		return min(next, m.sent.last)
	}
	if m.sent.urgent > 0 && m.mayTell() {
		next = min(next, m.sent.urgentAt)
	}
	if m.Periodic() {
		next = min(next, m.sent.next)
	}
	if m.poll.again && !m.poll.on {
		next = min(next, m.poll.notBefore)
	}
	return next
}

// mayTell says whether changes may be told between periodic packets.
func (m *Machine) mayTell() bool {
	return (!m.cfg.Passive || m.remote.disc != 0 || m.knocks) && m.remote.minRx != 0
}

// Due returns the next packet that must leave now; ask until it says no.
func (m *Machine) Due(now int64) (p wire.BFD, ok bool) {
	m.expire(now)
	m.pollAgain(now)
	switch {
	case m.sent.final:
		m.sent.final = false
		p = m.packet(now)
		p.Final, p.Poll = true, false
		return p, true
	case m.sent.urgent > 0 && now >= m.sent.urgentAt && m.mayTell():
		m.sent.urgent--
		m.knocks = m.knocks && m.sent.urgent > 0
		m.sent.urgentAt = now + Repeat
	case m.Periodic() && now >= m.sent.next:
	default:
		return p, false
	}
	p = m.packet(now)
	m.sent.last, m.sent.next = now, now+m.jitter(m.interval())
	return p, true
}

// Packet is what we have to say now, for packets beside those of Due: no poll,
// no answer to one.
func (m *Machine) Packet() wire.BFD {
	return wire.BFD{
		Diag: m.diag, State: m.state, Demand: m.demanding(), Multiplier: m.cfg.Multiplier,
		MyDisc: m.cfg.Local, YourDisc: m.remote.disc, MinTx: m.desiredTx(), MinRx: m.cfg.RequiredRx,
	}
}

// packet is that of Due (RFC 5880 6.8.7).
func (m *Machine) packet(now int64) wire.BFD {
	if m.poll.on && m.poll.since == 0 {
		m.poll.since = now
	}
	p := m.Packet()
	m.sent.demand, p.Poll = p.Demand, m.poll.on
	return p
}
