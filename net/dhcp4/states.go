package dhcp4

import (
	"net/netip"
	"reflect"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

// answers say who listens to servers; other states hear nothing.
var answers = [...]func(*Machine, time.Duration, *message){
	Selecting: (*Machine).offered, Requesting: (*Machine).answered, Rebooting: (*Machine).answered,
	Renewing: (*Machine).answered, Rebinding: (*Machine).answered, Released: nil,
}

// initialize begins from nothing after a pause.
func (m *Machine) initialize(now, pause time.Duration) {
	m.want, m.remembered = nil, false
	m.set(Init)
	m.deadline = now + pause
}

// exchange begins a new exchange of messages.
func (m *Machine) exchange(now time.Duration) {
	m.xid, m.began = m.cfg.XID(), now
}

// request is a message with what all have in common.
func (m *Machine) request(now time.Duration, kind dhcpv4.MessageType) *request {
	secs := min((now-m.began)/time.Second, 0xffff)
	return &request{kind: kind, xid: m.xid, secs: uint16(secs), identity: &m.cfg}
}

func (m *Machine) broadcast(r *request, src netip.Addr) {
	m.out.Frames = append(m.out.Frames, udpFrame(m.cfg.MAC, src, r.bytes()))
}

func (m *Machine) unicast(r *request, l *Lease) {
	m.out.Datagrams = append(m.out.Datagrams, Datagram{From: r.ciaddr, To: l.Server, Via: l.Via, Payload: r.bytes()})
}

func (m *Machine) discover(now time.Duration) {
	m.set(Selecting)
	m.exchange(now)
	m.rediscover(now)
}

func (m *Machine) rediscover(now time.Duration) {
	r := m.request(now, dhcpv4.MessageTypeDiscover)
	r.wanted = m.hint
	m.broadcast(r, netip.Addr{})
	m.deadline = now + m.backOff()
	if m.tries == unanswered {
		m.tell(NoServer, m.hint, netip.Addr{})
	}
}

// offered takes the first offer that could be used.
func (m *Machine) offered(now time.Duration, msg *message) {
	l, err := msg.lease()
	if msg.kind != dhcpv4.MessageTypeOffer || err != nil {
		return
	}
	m.want = l
	m.set(Requesting)
	m.rerequest(now)
}

// rerequest asks for the offer, of the exchange that the DISCOVER began.
func (m *Machine) rerequest(now time.Duration) {
	if m.tries == requestTries {
		m.initialize(now, m.cfg.Random(firstPause))
		return
	}
	r := m.request(now, dhcpv4.MessageTypeRequest)
	r.wanted, r.server = m.want.Address.Addr(), m.want.Server
	m.broadcast(r, netip.Addr{})
	m.sent, m.deadline = now, now+m.backOff()
}

func (m *Machine) reboot(now time.Duration) {
	m.set(Rebooting)
	m.exchange(now)
	m.again(now)
}

// again asks for the remembered address. Nobody may answer; then the lease is
// used for as long as it lasts (RFC 2131 3.2).
func (m *Machine) again(now time.Duration) {
	end := Never // of a lease that is in use meanwhile
	if m.lease != nil {
		end = m.over(m.start, m.lease.Seconds)
	}
	if m.tries == rebootTries || now >= end {
		m.unconfirmed(now)
		return
	}
	r := m.request(now, dhcpv4.MessageTypeRequest)
	r.wanted = m.want.Address.Addr()
	m.broadcast(r, netip.Addr{})
	m.sent, m.deadline = now, min(end, now+m.backOff())
}

func (m *Machine) unconfirmed(now time.Duration) {
	switch {
	case m.since == Never || m.over(m.since, m.want.Seconds) <= now:
		if m.lease != nil {
			m.lose(Expired)
		}
		m.initialize(now, 0)
	case m.lease != nil:
		m.resume(now)
	default:
		m.sent = m.since
		m.checkFirst(now)
	}
}

// answered hears ACK and NAK in the states that asked for an address.
func (m *Machine) answered(now time.Duration, msg *message) {
	switch msg.kind {
	case dhcpv4.MessageTypeAck:
		m.acked(now, msg)
	case dhcpv4.MessageTypeNak:
		m.naked(now, msg)
	}
}

func (m *Machine) acked(now time.Duration, msg *message) {
	l, err := msg.lease()
	if err != nil || m.state == Requesting && l.Server != m.want.Server {
		return
	}
	if m.state == Rebooting && l.Address.Addr() != m.want.Address.Addr() {
		return // no answer to what was asked
	}
	if l.Via = m.from; l.Via == (frame.MAC{}) && m.lease != nil {
		l.Via = m.lease.Via
	}
	m.want = l
	if m.lease != nil && m.lease.Address.Addr() == l.Address.Addr() {
		m.bind(now) // the address is in use: a probe would ask ourselves
		return
	}
	m.checkFirst(now)
}

// naked goes back to the beginning. A stranger's NAK does not count where one
// server was asked; elsewhere any server may know better.
func (m *Machine) naked(now time.Duration, msg *message) {
	if !msg.server.IsValid() ||
		m.state == Requesting && msg.server != m.want.Server ||
		m.state == Renewing && msg.server != m.lease.Server {
		return
	}
	if m.lease != nil {
		m.lose(Refused)
	} else {
		m.tell(Refused, m.want.Address.Addr(), msg.server)
	}
	m.hint = netip.Addr{}
	m.initialize(now, m.nakPause())
}

// bind puts the checked lease into use.
func (m *Machine) bind(now time.Duration) {
	old, changed := m.lease, true
	if old != nil {
		same := *old
		same.Via = m.want.Via // routers take turns; nobody else minds
		changed = !reflect.DeepEqual(&same, m.want)
	}
	m.lease, m.start, m.hint = m.want, m.sent, m.want.Address.Addr()
	m.want, m.remembered, m.naks, m.conflicts = nil, false, 0, 0
	m.out.Changed = true
	a := m.lease.Address.Addr()
	switch {
	case old == nil:
		m.tell(Obtained, a, m.lease.Server)
	case old.Address != m.lease.Address:
		m.tell(Moved, a, m.lease.Server)
	case changed:
		m.tell(Altered, a, m.lease.Server)
	default:
		m.tell(Renewed, a, m.lease.Server)
	}
	if old == nil || old.Address != m.lease.Address {
		m.out.Frames = append(m.out.Frames, frame.Announce(m.cfg.MAC, a))
		m.announce = now + announceEvery
	}
	m.resume(now)
}

// resume goes where the lease's age says, and asks if it is time to.
func (m *Machine) resume(now time.Duration) {
	l := m.lease
	t1, t2, end := m.over(m.start, l.T1), m.over(m.start, l.T2), m.over(m.start, l.Seconds)
	switch {
	case now >= end:
		m.lose(Expired)
		m.initialize(now, m.cfg.Random(firstPause))
	case now >= t2:
		m.ask(now, Rebinding, end)
	case now >= t1:
		m.ask(now, Renewing, t2)
	default:
		m.set(Bound)
		m.want, m.remembered = nil, false
		m.deadline = t1
	}
}

// ask requests the lease's extension: of its server by unicast, or of any.
func (m *Machine) ask(now time.Duration, s State, until time.Duration) {
	if m.state != s {
		m.set(s)
		m.exchange(now)
	}
	r := m.request(now, dhcpv4.MessageTypeRequest)
	r.ciaddr = m.lease.Address.Addr()
	if s == Renewing {
		m.unicast(r, m.lease)
	} else {
		m.broadcast(r, r.ciaddr)
	}
	m.sent = now
	m.deadline = min(until, now+max((until-now)/2, askAgain))
}

// lose takes the lease out of use.
func (m *Machine) lose(why EventKind) {
	m.tell(why, m.lease.Address.Addr(), m.lease.Server)
	m.hint = m.lease.Address.Addr()
	m.lease, m.announce, m.lastClaim = nil, Never, Never
	m.out.Changed = true
	if m.state == Down {
		m.want, m.remembered = nil, false
	}
}
