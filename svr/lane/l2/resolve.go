package l2

import "net/netip"

// Timers of resolution, in nanoseconds (RFC 4861 10: RetransTimer,
// MAX_MULTICAST_SOLICIT, ReachableTime).
const (
	second        = int64(1e9)
	retransmit    = 1 * second
	maxSolicits   = 3
	reachableTime = 30 * second
	maxBackoff    = 30 * second
)

type phase uint8

const (
	asking    phase = iota // never answered, or not any more: asking everybody
	reachable              // answered within reachableTime
	probing                // asking the known address alone
	failed                 // gave up; asks again with rising pauses
)

// entry is one next-hop we keep resolved.
type entry struct {
	id      uint16
	addr    netip.Addr
	mac     MAC
	known   bool
	phase   phase
	sent    int   // questions in this phase
	due     int64 // next step
	backoff int64
}

// Resolve starts to resolve a next-hop and keeps it resolved until Forget. id
// is handed to changed. addr as in packet.Tuple: IPv4 in the first four bytes.
func (s *Station) Resolve(now int64, id uint16, addr [16]byte, family uint8) {
	e := &entry{id: id, addr: toAddr(addr, family)}
	s.entries[keyOf(e.addr)] = e
	s.ask(now, e)
}

// Forget ends the resolution of a next-hop.
func (s *Station) Forget(addr [16]byte, family uint8) {
	delete(s.entries, keyOf(toAddr(addr, family)))
}

// Tick does what is due and returns when to call again, 0 when there is nothing
// to wait for.
func (s *Station) Tick(now int64) (next int64) {
	for _, e := range s.entries {
		if e.due <= now {
			s.step(now, e)
		}
		if next == 0 || e.due < next {
			next = e.due
		}
	}
	return next
}

func (s *Station) step(now int64, e *entry) {
	switch {
	case e.phase == reachable:
		e.phase, e.sent = probing, 0
		s.ask(now, e)
	case e.phase == failed:
		e.phase, e.sent = asking, 0
		s.ask(now, e)
	case e.sent < maxSolicits:
		s.ask(now, e)
	case e.phase == probing: // the station may have a new address: ask everybody
		e.phase, e.sent = asking, 0
		s.ask(now, e)
	default:
		s.fail(now, e)
	}
}

func (s *Station) fail(now int64, e *entry) {
	e.phase, e.known = failed, false
	e.backoff = min(max(2*e.backoff, 2*second), maxBackoff)
	e.due = now + e.backoff
	s.changed(e.id, MAC{}, false)
}

// ask sends one question: to the known address while probing, else to all.
func (s *Station) ask(now int64, e *entry) {
	e.sent++
	e.due = now + retransmit
	src, ok := s.source(e.addr)
	if !ok {
		return // no address of that family yet; try again later
	}
	if e.addr.Is4() {
		dst := Broadcast
		if e.phase == probing {
			dst = e.mac
		}
		s.sendARP(dst, ARP{Op: ARPRequest, SenderMAC: s.mac, Sender: src.As4(), Target: e.addr.As4()})
		return
	}
	n := ND{Type: NDSolicit, Src: src.As16(), Target: e.addr.As16(), Link: s.mac, HasLink: true}
	n.Dst = SolicitedNode(n.Target)
	dst := MulticastMAC(n.Dst)
	if e.phase == probing {
		n.Dst, dst = n.Target, e.mac
	}
	s.sendND(dst, n)
}

// learn takes a link address that a neighbour told. Only next-hops in use are
// remembered. solicited: it answers a question of ours; override: it may
// replace a known address (RFC 4861 7.2.5).
func (s *Station) learn(now int64, a netip.Addr, mac MAC, solicited, override bool) {
	e := s.entries[keyOf(a)]
	if e == nil || !unicast(mac) {
		return
	}
	fresh := !e.known || e.mac != mac
	if e.known && fresh && !override {
		return
	}
	e.mac, e.known = mac, true
	if fresh || solicited {
		e.phase, e.sent, e.backoff = reachable, 0, 0
		e.due = now + reachableTime
	}
	if fresh {
		s.changed(e.id, mac, true)
	}
}

// confirm: the neighbour answered without telling its address again.
func (s *Station) confirm(now int64, a netip.Addr) {
	if e := s.entries[keyOf(a)]; e != nil && e.known {
		s.learn(now, a, e.mac, true, false)
	}
}

func keyOf(a netip.Addr) key {
	if a.Is4() {
		b := a.As4()
		return key{addr: [16]byte{b[0], b[1], b[2], b[3]}, family: 4}
	}
	return key{addr: a.As16(), family: 6}
}

func toAddr(b [16]byte, family uint8) netip.Addr {
	if family == 4 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(b)
}
