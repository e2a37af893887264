package dhcp4

import (
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

// RFC 5227 probes for 4 to 7 s. The same steps with shorter pauses find every
// station that answers within half a second, and users wait for the line.
const (
	probeCount    = 3
	probeFirst    = 200 * time.Millisecond // at most, before the first
	probePause    = 200 * time.Millisecond
	probeBlur     = 200 * time.Millisecond // at most, on top
	probeLast     = 500 * time.Millisecond // behind the last
	announceEvery = 2 * time.Second
	defendEvery   = 10 * time.Second
)

// checkFirst begins to probe the wanted address.
func (m *Machine) checkFirst(now time.Duration) {
	m.set(Checking)
	m.probes, m.deadline = 0, now+m.cfg.Random(probeFirst)
}

func (m *Machine) check(now time.Duration) {
	if m.probes == probeCount {
		m.bind(now)
		return
	}
	m.probes++
	m.out.Frames = append(m.out.Frames, frame.Probe(m.cfg.MAC, m.want.Address.Addr()))
	m.deadline = now + probePause + m.cfg.Random(probeBlur)
	if m.probes == probeCount {
		m.deadline = now + probeLast
	}
}

// hearARP looks for other stations on the address we want or have.
func (m *Machine) hearARP(now time.Duration, a frame.ARP) {
	switch {
	case m.state == Checking && claims(a, m.want.Address.Addr(), m.cfg.MAC, true):
		m.decline(now, m.want)
	case m.lease != nil && m.state != Down && claims(a, m.lease.Address.Addr(), m.cfg.MAC, false):
		m.defend(now)
	}
}

// defend claims our address once; who claims it again soon gets it (RFC 5227
// 2.4 b).
func (m *Machine) defend(now time.Duration) {
	if m.lastClaim != Never && now-m.lastClaim < defendEvery {
		m.decline(now, m.lease)
		return
	}
	m.lastClaim = now
	m.out.Frames = append(m.out.Frames, frame.Announce(m.cfg.MAC, m.lease.Address.Addr()))
}

// decline tells the server that its address is taken, and begins anew later.
func (m *Machine) decline(now time.Duration, l *Lease) {
	m.exchange(now)
	r := m.request(now, dhcpv4.MessageTypeDecline)
	r.wanted, r.server = l.Address.Addr(), l.Server
	m.broadcast(r, netip.Addr{})
	if m.lease != nil {
		m.lose(Taken)
	} else {
		m.tell(Taken, l.Address.Addr(), l.Server)
	}
	m.hint = netip.Addr{}
	m.conflicts++
	pause := declinePause + m.cfg.Random(time.Second)
	if m.conflicts >= declineStreak {
		pause = declineMost
	}
	m.initialize(now, pause)
}
