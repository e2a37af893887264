package bfd

import (
	"time"

	"waymark/svr/wire"
)

// SlowTx is the least interval between our packets, in microseconds, while a
// session is not up (RFC 5880 6.8.3).
const SlowTx = 1_000_000

// Repeat is the spacing of the packets that tell a change of state, in
// nanoseconds.
const Repeat = int64(20e6)

// Diagnostics of RFC 5880 4.1 that we send.
const (
	DiagNone      = 0
	DiagTime      = 1 // control detection time expired
	DiagNeighbour = 3 // neighbour signalled session down
	DiagAdmin     = 7 // administratively down
)

// Micros is a duration in microseconds, as far as 32 bits reach.
func Micros(d time.Duration) uint32 { return uint32(min(d.Microseconds(), 1<<32-1)) }

// Config is what one session is made of. It holds no pointers, so that a
// machine can be compared as a whole.
type Config struct {
	Local      uint32 // own discriminator, not 0, unique in the router
	DesiredTx  uint32 // µs between our packets once up
	RequiredRx uint32 // µs between packets that we can take; 0: send me none
	Multiplier uint8  // 1 to 255
	Passive    bool   // send nothing until the peer has spoken
	Demand     bool   // ask the peer to be silent once both are up
	// Repeats is how often a change of state is told again, Repeat apart.
	Repeats uint8
	Auth    Auth
	Seed    uint64 // of jitter and of the first sequence number; secret and new at each start
}

// Machine is one session. Its methods belong to one goroutine.
type Machine struct {
	cfg  Config
	diag uint8

	state, remoteState wire.BFDState
	remote             remote
	sent               sent
	poll               poll
	auth               authState
	random             uint64 // state of the generator

	// tx and rx are the intervals in force: they lag cfg while a poll that
	// lengthens tx or shortens rx is under way.
	tx, rx  uint32
	heard   int64  // when the last valid packet came, 0: none
	changed int64  // when state changed last
	slow    uint32 // least µs between packets while not up, 0: SlowTx
	knocks  bool   // what is urgent leaves although we are passive
}

// remote is what the peer's packets said last.
type remote struct {
	disc, minTx, minRx uint32
	multiplier, diag   uint8
	demand             bool
}

// sent is what we owe, and when.
type sent struct {
	last, next int64 // periodic packets
	final      bool  // an answer to a poll is owed
	urgent     uint8 // packets owed because of a change
	urgentAt   int64
	demand     bool // the demand bit of the last packet
}

// New makes a session in state Down that sends its first packet at once.
func New(cfg Config, now int64) *Machine {
	cfg.DesiredTx = max(cfg.DesiredTx, 1000) // 0 is reserved, RFC 5880 4.1
	m := &Machine{cfg: cfg, state: wire.BFDDown, remoteState: wire.BFDDown, random: cfg.Seed, changed: now}
	m.remote.minRx = 1 // RFC 5880 6.8.1
	m.tx, m.rx = cfg.DesiredTx, cfg.RequiredRx
	m.auth.start(cfg.Auth, uint32(m.draw()))
	m.sent.next = now
	return m
}

// State returns the state of the session.
func (m *Machine) State() wire.BFDState { return m.state }

// RemoteState returns the state that the peer told last.
func (m *Machine) RemoteState() wire.BFDState { return m.remoteState }

// Diag returns our diagnostic code and the peer's.
func (m *Machine) Diag() (local, remote uint8) { return m.diag, m.remote.diag }

// Discriminators returns ours and the peer's, 0 while it is not known.
func (m *Machine) Discriminators() (local, remote uint32) { return m.cfg.Local, m.remote.disc }

// Since returns when the state changed last.
func (m *Machine) Since() int64 { return m.changed }

// Heard returns when the last valid packet came, 0 before the first.
func (m *Machine) Heard() int64 { return m.heard }

// Multiplier returns the detection multiplier of the peer, 0 while unknown.
func (m *Machine) Multiplier() uint8 { return m.remote.multiplier }

// Accept works in a packet that passed the checks of wire.ParseBFD, belongs to
// this session and is authentic (RFC 5880 6.8.6). One that is dropped changes
// nothing.
func (m *Machine) Accept(p *wire.BFD, now int64) Drop {
	if d := m.Check(p); d != DropNone {
		return d
	}
	m.expire(now)
	m.remote.disc, m.remote.demand = p.MyDisc, p.Demand
	m.remote.minTx, m.remote.multiplier, m.remote.diag = p.MinTx, p.Multiplier, p.Diag
	m.remoteState = p.State
	m.heard = now
	m.setRemoteRx(p.MinRx, now)
	if p.Final {
		m.pollEnds(now)
	}
	m.poll.clear(p.Final)
	if m.state == wire.BFDAdminDown {
		return DropNone
	}
	m.transit(p.State, now)
	m.watchDemand(now)
	if p.Poll {
		m.sent.final = true
	}
	return DropNone
}

// Check makes the tests of RFC 5880 6.8.6 that need the session; it changes
// nothing.
func (m *Machine) Check(p *wire.BFD) Drop {
	switch {
	case p.Poll && p.Final:
		return DropPollFinal
	case p.YourDisc != 0 && p.YourDisc != m.cfg.Local:
		return DropDiscriminator
	case p.YourDisc == 0 && p.State >= wire.BFDInit:
		return DropDiscriminator
	case p.MyDisc == 0 || p.Multiplier == 0:
		return DropMalformed
	}
	return DropNone
}

// transit is the table of RFC 5880 6.2.
func (m *Machine) transit(peer wire.BFDState, now int64) {
	switch {
	case peer == wire.BFDAdminDown:
		if m.state != wire.BFDDown {
			m.set(wire.BFDDown, DiagNeighbour, now)
		}
	case m.state == wire.BFDDown && peer == wire.BFDDown:
		m.set(wire.BFDInit, DiagNone, now)
	case m.state == wire.BFDDown && peer == wire.BFDInit:
		m.set(wire.BFDUp, DiagNone, now)
	case m.state == wire.BFDInit && peer >= wire.BFDInit:
		m.set(wire.BFDUp, DiagNone, now)
	case m.state == wire.BFDUp && peer == wire.BFDDown:
		m.set(wire.BFDDown, DiagNeighbour, now)
	}
}

// set changes the state and tells the peer at once.
func (m *Machine) set(s wire.BFDState, diag uint8, now int64) {
	if s == m.state {
		return
	}
	was := m.state
	m.state, m.changed = s, now
	if s != wire.BFDInit || diag != DiagNone {
		m.diag = diag
	}
	m.poll = poll{}
	m.tx, m.rx = m.cfg.DesiredTx, m.cfg.RequiredRx
	m.urge(now)
	if s == wire.BFDUp && m.cfg.DesiredTx < SlowTx {
		m.startPoll(now) // DesiredMinTxInterval changes from the slow one
	}
	if was == wire.BFDUp || s == wire.BFDUp {
		m.reschedule(now)
	}
}

// urge makes the next packets leave at once.
func (m *Machine) urge(now int64) {
	m.sent.urgent, m.sent.urgentAt = 1+m.cfg.Repeats, now
}

// Tell makes a packet leave at once, for those who carry more than the packet
// itself.
func (m *Machine) Tell(now int64) {
	if m.sent.urgent == 0 || m.sent.urgentAt > now {
		m.sent.urgent, m.sent.urgentAt = max(m.sent.urgent, 1), now
	}
}

// Knock makes packets leave although the peer has not spoken and we are passive:
// it may remember who we were.
func (m *Machine) Knock(now int64) {
	m.knocks = true
	m.urge(now)
}

// RemoteDemand says whether the peer is in demand mode.
func (m *Machine) RemoteDemand() bool { return m.remote.demand }

// RemoteInterval is the time between the peer's packets in ns, before jitter.
func (m *Machine) RemoteInterval() int64 { return int64(max(m.rx, m.remote.minTx)) * µs }

// Fail takes the session down as silence does; others found out that the peer
// is gone (RFC 5880 6.6: in demand mode that is their business).
func (m *Machine) Fail(now int64) {
	m.remote = remote{minRx: 1}
	m.remoteState, m.heard = wire.BFDDown, 0
	if m.state == wire.BFDUp || m.state == wire.BFDInit {
		m.set(wire.BFDDown, DiagTime, now)
	}
}

// SetSlow makes the interval while not up longer than SlowTx, in microseconds.
func (m *Machine) SetSlow(least uint32) { m.slow = least }

// SetAdminDown holds the session in AdminDown, or lets it go.
func (m *Machine) SetAdminDown(down bool, now int64) {
	switch {
	case down && m.state != wire.BFDAdminDown:
		m.set(wire.BFDAdminDown, DiagAdmin, now)
	case !down && m.state == wire.BFDAdminDown:
		m.set(wire.BFDDown, DiagNone, now)
	}
}

// Restart begins the session anew because the peer did: what it said before is
// void. The own discriminator and the sequence of polls are kept.
func (m *Machine) Restart(now int64) {
	m.remote = remote{minRx: 1}
	m.remoteState, m.heard = wire.BFDDown, 0
	if m.state != wire.BFDAdminDown {
		m.set(wire.BFDDown, DiagNone, now)
	}
}
