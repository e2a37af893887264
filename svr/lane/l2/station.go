package l2

import "net/netip"

// Sender takes a frame's parts: where to, what it is, the payload (valid during
// the call only).
type Sender func(dst MAC, etherType uint16, payload []byte)

// Station is our presence on one tag: it answers for our addresses and resolves
// next-hops. One goroutine at a time.
type Station struct {
	mac     MAC
	addrs   []netip.Prefix
	send    Sender
	changed func(id uint16, mac MAC, ok bool)
	entries map[key]*entry
	scratch []byte
	stats   Stats
}

// Stats count what a station did.
type Stats struct {
	Answered  uint64 // ARP and neighbour solicitations answered
	Echoes    uint64 // echo requests answered
	Malformed uint64 // messages that are not valid
	Conflicts uint64 // somebody else claims an address of ours
}

type key struct {
	addr   [16]byte
	family uint8
}

// NewStation makes a station. send transmits a frame; changed is told each time
// a next-hop's link address becomes known, changes, or stops answering.
func NewStation(mac MAC, addrs []netip.Prefix, send Sender, changed func(id uint16, mac MAC, ok bool)) *Station {
	s := &Station{mac: mac, send: send, changed: changed, entries: map[key]*entry{}, scratch: make([]byte, 0, 1600)}
	s.SetAddrs(addrs)
	return s
}

// SetAddrs replaces our addresses. The link-local one of the MAC is ours as
// soon as there is any IPv6 address.
func (s *Station) SetAddrs(addrs []netip.Prefix) {
	s.addrs = append(s.addrs[:0], addrs...)
	for _, p := range addrs {
		if p.Addr().Is6() {
			s.addrs = append(s.addrs, netip.PrefixFrom(netip.AddrFrom16(LinkLocal(s.mac)), 64))
			return
		}
	}
}

// Stats returns the counters.
func (s *Station) Stats() Stats { return s.stats }

// Announce tells the neighbours our addresses (gratuitous ARP of RFC 5227 3,
// unsolicited advertisement of RFC 4861 7.2.6).
func (s *Station) Announce() {
	for _, p := range s.addrs {
		a := p.Addr()
		if a.Is4() {
			s.sendARP(Broadcast, ARP{Op: ARPRequest, SenderMAC: s.mac, Sender: a.As4(), Target: a.As4()})
			continue
		}
		s.sendND(MulticastMAC(AllNodes), ND{Type: NDAdvertise, Flags: NDRouter | NDOverride,
			Src: a.As16(), Dst: AllNodes, Target: a.As16(), Link: s.mac, HasLink: true})
	}
}

// Input takes one received frame without its header. It returns true when the
// frame was for the station and must not be forwarded.
func (s *Station) Input(now int64, from MAC, etherType uint16, b []byte) bool {
	switch {
	case etherType == TypeARP:
		s.inputARP(now, b)
		return true
	case etherType == TypeIPv6 && IsND(b):
		s.inputND(now, b)
		return true
	case IsEcho(b):
		return s.inputEcho(from, b)
	}
	return false
}

func (s *Station) inputEcho(from MAC, b []byte) bool {
	if b[0]>>4 == 6 && !s.ours(netip.AddrFrom16([16]byte(b[24:40]))) {
		return false
	}
	if b[0]>>4 == 4 && !s.ours(netip.AddrFrom4([4]byte(b[16:20]))) {
		return false
	}
	reply, ok := AppendEchoReply(s.scratch[:0], b)
	if !ok {
		s.stats.Malformed++
		return true
	}
	s.stats.Echoes++
	typ := uint16(TypeIPv4)
	if b[0]>>4 == 6 {
		typ = TypeIPv6
	}
	s.send(from, typ, reply)
	return true
}

func (s *Station) inputARP(now int64, b []byte) {
	a, err := ParseARP(b)
	if err != nil {
		s.stats.Malformed++
		return
	}
	if a.SenderMAC == s.mac {
		return // our own frame came back
	}
	sender := netip.AddrFrom4(a.Sender)
	if s.ours(sender) {
		s.stats.Conflicts++
		return
	}
	if a.Sender != [4]byte{} { // an RFC 5227 probe has no sender
		s.learn(now, sender, a.SenderMAC, a.Op == ARPReply, true)
	}
	if a.Op == ARPRequest && s.ours(netip.AddrFrom4(a.Target)) {
		s.stats.Answered++
		s.sendARP(a.SenderMAC, ARP{Op: ARPReply, SenderMAC: s.mac, Sender: a.Target,
			TargetMAC: a.SenderMAC, Target: a.Sender})
	}
}

func (s *Station) inputND(now int64, b []byte) {
	n, err := ParseND(b)
	if err != nil {
		s.stats.Malformed++
		return
	}
	if n.HasLink && n.Link == s.mac {
		return // our own frame came back
	}
	if n.Type == NDAdvertise {
		s.advertised(now, n)
		return
	}
	if n.HasLink {
		s.learn(now, netip.AddrFrom16(n.Src), n.Link, false, true)
	}
	if s.ours(netip.AddrFrom16(n.Target)) {
		s.stats.Answered++
		s.advertise(n)
	}
}

// advertise answers a solicitation. One from the unspecified address is
// somebody's duplicate address detection and is answered to everybody.
func (s *Station) advertise(n ND) {
	a := ND{Type: NDAdvertise, Flags: NDRouter | NDSolicited | NDOverride,
		Src: n.Target, Dst: n.Src, Target: n.Target, Link: s.mac, HasLink: true}
	to := n.Link
	if n.Src == [16]byte{} {
		a.Flags, a.Dst = NDRouter|NDOverride, AllNodes
		to = MulticastMAC(AllNodes)
	} else if !n.HasLink {
		e := s.entries[key{n.Src, 6}]
		if e == nil || !e.known {
			return // nobody to send it to; the asker includes its address next time
		}
		to = e.mac
	}
	s.sendND(to, a)
}

func (s *Station) advertised(now int64, n ND) {
	target := netip.AddrFrom16(n.Target)
	if s.ours(target) {
		s.stats.Conflicts++
		return
	}
	if n.HasLink {
		s.learn(now, target, n.Link, n.Flags&NDSolicited != 0, n.Flags&NDOverride != 0)
	} else if n.Flags&NDSolicited != 0 {
		s.confirm(now, target)
	}
}

func (s *Station) ours(a netip.Addr) bool {
	for _, p := range s.addrs {
		if p.Addr() == a {
			return true
		}
	}
	return false
}

// source chooses the address we ask from: one whose prefix holds the target,
// otherwise the first of that family.
func (s *Station) source(target netip.Addr) (netip.Addr, bool) {
	var first netip.Addr
	for _, p := range s.addrs {
		a := p.Addr()
		if a.Is4() != target.Is4() {
			continue
		}
		if p.Contains(target) {
			return a, true
		}
		if !first.IsValid() {
			first = a
		}
	}
	return first, first.IsValid()
}

func (s *Station) sendARP(dst MAC, a ARP) {
	s.send(dst, TypeARP, AppendARP(s.scratch[:0], a))
}

func (s *Station) sendND(dst MAC, n ND) {
	s.send(dst, TypeIPv6, AppendND(s.scratch[:0], n))
}
