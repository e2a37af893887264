package pppoe

import (
	"net/netip"
	"time"

	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
)

// LinkUp starts the machine, or tells that the link is back.
func (m *Machine) LinkUp(now time.Duration) {
	if m.hold != Never {
		m.hold = Never
		m.link.Check(now)
		m.pump(now)
		return
	}
	if m.state != Down && m.state != Stopped {
		return
	}
	if m.stale != nil {
		m.act(Action{Act: SendDiscovery, Frame: disc.Termination(m.cfg.MAC, m.stale.AC, m.stale.Session, "")})
		m.stale = nil
	}
	m.narrow = false
	m.wait(now, m.cfg.Random(firstPause))
}

// LinkDown pauses the machine. A session that carries packets is kept for a
// while: the link may come back to the same access concentrator.
func (m *Machine) LinkDown(now time.Duration) {
	switch {
	case m.state == Down || m.state == Stopped || m.hold != Never:
		return
	case m.state == Connected:
		m.hold = now + holdFor
		return
	case m.link != nil || m.state == Opening:
		m.end(now, carrierLost, "the link is away")
	}
	m.rest(Down)
}

// Hangup ends the session, tells the other end and rests until LinkUp.
func (m *Machine) Hangup(now time.Duration) {
	m.hold = Never
	if m.link == nil {
		if m.state == Opening {
			m.drop()
		}
		m.rest(Stopped)
		return
	}
	m.set(Closing)
	m.link.Close(now, "")
	m.pump(now)
}

// rest stops whatever waits.
func (m *Machine) rest(s State) {
	m.disc.Stop()
	m.deadline, m.failure.Retry = Never, Never
	m.set(s)
}

func (m *Machine) wait(now, pause time.Duration) {
	m.set(Waiting)
	m.deadline = now + pause
}

// dial looks for an access concentrator.
func (m *Machine) dial(now time.Duration) {
	m.set(Discovering)
	m.deadline = Never
	ask := m.cfg.MRU
	if m.narrow {
		ask = 0
	}
	m.disc.Start(now, ask)
}

// mru is the largest packet that this session may have.
func (m *Machine) mru() uint16 { return min(m.cfg.MRU, m.session.MaxPayload) }

// discovered draws the conclusions of a change in discovery.
func (m *Machine) discovered(now time.Duration) {
	o := m.disc.Take()
	for _, f := range o.Frames {
		m.act(Action{Act: SendDiscovery, Frame: f})
	}
	if o.Silent {
		m.fail(now, noServer, "no access concentrator answers")
		m.failure.Retry = m.disc.Deadline()
		m.tell(Event{Kind: NoServer})
	}
	if m.state != Discovering {
		return
	}
	switch m.disc.State() {
	case disc.Refused:
		m.disc.Stop()
		m.end(now, connectFailed, m.disc.Reason())
	case disc.Open:
		m.session, _ = m.disc.Session()
		m.disc.Stop()
		m.set(Opening)
		m.act(Action{Act: OpenChannel, Channel: Channel{m.session.ID, m.session.AC, m.mru()}})
	}
}

// Opened: the kernel has the session.
func (m *Machine) Opened(now time.Duration) {
	if m.state != Opening {
		return
	}
	mru := m.mru()
	m.link = ppp.NewLink(ppp.Config{MRU: mru, Probe: mru > disc.Payload, Auth: m.cfg.Auth, User: m.cfg.User,
		Password: m.cfg.Password, IPv6: m.cfg.IPv6, Magic: m.cfg.Magic, InterfaceID: m.cfg.InterfaceID})
	m.set(Negotiating)
	m.link.Start(now)
	m.pump(now)
}

// OpenFailed: it has not, and why.
func (m *Machine) OpenFailed(now time.Duration, reason string) {
	if m.state == Opening {
		m.end(now, kernelFailed, reason)
	}
}

// pump carries out what the link wants.
func (m *Machine) pump(now time.Duration) {
	o := m.link.Take()
	for _, f := range o.Frames {
		m.act(Action{Act: SendPPP, Frame: f})
	}
	if o.End != nil {
		m.ended(now, o.End)
		return
	}
	if o.Changed {
		m.out.Changed = true
		m.carry(now)
	}
}

// carry lets pass what the network protocols agreed on.
func (m *Machine) carry(now time.Duration) {
	n := m.link.Network()
	if !n.Up() || m.state == Closing {
		n = ppp.Network{}
	}
	if same(&n, &m.up) {
		return
	}
	was := m.up
	m.up = n
	m.act(Action{Act: Carry, IPv4: n.Address.IsValid(), IPv6: n.IPv6, MTU: n.MTU})
	switch {
	case n.Up() && !was.Up():
		m.upSince, m.refused = now, 0
		m.set(Connected)
	case !n.Up() && m.state == Connected:
		m.set(Negotiating)
	}
	m.name(n.Address)
}

// name tells the address, once per session unless it changes.
func (m *Machine) name(a netip.Addr) {
	switch {
	case !a.IsValid() || a == m.address && m.told:
		return
	case m.address.IsValid() && m.address != a:
		m.tell(Event{Kind: Readdressed, Address: a})
	default:
		m.tell(Event{Kind: Established, Address: a})
	}
	m.address, m.told = a, true
}

func same(a, b *ppp.Network) bool {
	if len(a.DNS) != len(b.DNS) {
		return false
	}
	for i := range a.DNS {
		if a.DNS[i] != b.DNS[i] {
			return false
		}
	}
	return a.Address == b.Address && a.Peer == b.Peer && a.IPv6 == b.IPv6 && a.OwnID == b.OwnID && a.PeerID == b.PeerID && a.MTU == b.MTU
}
