package dhcpd

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// discover offers an address, after it was probed unless the host has it.
func (s *Server) discover(now time.Duration, m *message) {
	if p := s.probeOf(m.key); p != nil {
		p.m = m // the host asked again meanwhile
		return
	}
	a, pool := s.choose(m, s.pools(m), now)
	if pool == nil {
		s.stats.Exhausted++
		return
	}
	if b := s.byAddr[a]; b.held(now) && b.key == m.key && b.state != Declined {
		s.offer(now, m, a, pool)
		return
	}
	s.probe(now, m, a, pool)
}

func (s *Server) offer(now time.Duration, m *message, a netip.Addr, p *Pool) {
	if b := s.byAddr[a]; !b.held(now) || b.key != m.key || b.state != Leased {
		s.bind(a, m, Offered, now+offerTerm)
	}
	s.stats.Offers++
	s.answer(m, dhcpv4.MessageTypeOffer, a, p)
}

// request is a host's REQUEST; what it carries tells the host's state (RFC 2131
// table 4).
func (s *Server) request(now time.Duration, m *message) {
	if m.server.IsValid() && !s.ours(m.server) {
		s.forgo(now, m)
		return
	}
	a := m.requested
	if m.ciaddr.IsValid() {
		a = m.ciaddr
	}
	switch pool, wrong := s.grantable(now, m, a); {
	case pool != nil:
		s.grant(now, m, a, pool)
	case wrong || m.server.IsValid():
		s.nak(m)
	}
}

// forgo frees what was offered to a host that took another server's offer.
func (s *Server) forgo(now time.Duration, m *message) {
	if b := s.byKey[m.key]; b != nil && b.state == Offered {
		b.state, b.ends = Free, now
	}
}

// grantable returns the pool by which a host may have an address. wrong tells
// that it must not use it: it is another host's or of another network. Neither:
// we know nothing, and another server may.
func (s *Server) grantable(now time.Duration, m *message, a netip.Addr) (pool *Pool, wrong bool) {
	pools := s.pools(m)
	if !a.IsValid() || len(pools) == 0 {
		return nil, false
	}
	if b := s.byKey[m.key]; b != nil && b.addr == a && !s.moved(m, a) && s.poolOf(a) != nil {
		return s.poolOf(a), false
	}
	inside := false
	for _, p := range pools {
		inside = inside || p.Server.Masked().Contains(a)
		if p.Static[m.mac] == a {
			return p, false
		}
		if m.ciaddr.IsValid() && !s.moved(m, a) && s.free(p, a, m.key, now) {
			return p, false // it uses the address already: we forgot it
		}
	}
	known := s.poolOf(a) != nil
	return nil, !inside || known && (s.byAddr[a].held(now) || s.moved(m, a) || s.fixed[a])
}

// moved tells whether a host that asks for an address has another by
// configuration.
func (s *Server) moved(m *message, a netip.Addr) bool {
	for i := range s.cfg.Pools {
		if fixed, ok := s.cfg.Pools[i].Static[m.mac]; ok {
			return fixed != a
		}
	}
	return s.fixed[a]
}

func (s *Server) grant(now time.Duration, m *message, a netip.Addr, p *Pool) {
	s.bind(a, m, Leased, now+s.term(m))
	s.out.Changed = true
	s.stats.Acks++
	s.answer(m, dhcpv4.MessageTypeAck, a, p)
}

// term is how long a host gets its lease.
func (s *Server) term(m *message) time.Duration {
	if t := m.term(); t > 0 && t < s.cfg.MaxLease {
		return max(t, MinLease)
	}
	return s.cfg.MaxLease
}

// answer sends an OFFER or ACK.
func (s *Server) answer(m *message, kind dhcpv4.MessageType, a netip.Addr, p *Pool) {
	r := m.reply(kind, p.Server.Addr())
	r.YourIPAddr = a.AsSlice()
	r.ClientIPAddr = m.ClientIPAddr
	seconds := uint32(s.term(m) / time.Second)
	for code, v := range map[uint8]uint32{optLeaseTime: seconds, optT1: seconds / 2, optT2: uint32(uint64(seconds) * 7 / 8)} {
		r.Options[code] = binary.BigEndian.AppendUint32(nil, v)
	}
	s.send(m, r, p, a)
}

// send completes an answer and sends it to a host that has address a then.
func (s *Server) send(m *message, r *dhcpv4.DHCPv4, p *Pool, a netip.Addr) {
	r.Options[optMask] = binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Server.Bits()))
	mac, to := m.to(a, false)
	s.put(mac, to, p.Server.Addr(), m.fit(r, p.Options))
}

func (s *Server) nak(m *message) {
	pools := s.pools(m)
	if len(pools) == 0 {
		return
	}
	s.stats.Naks++
	server := pools[0].Server.Addr()
	r := m.reply(dhcpv4.MessageTypeNak, server)
	if m.giaddr.IsValid() {
		r.Flags |= broadcast // the relay must tell all (RFC 2131 4.3.2)
	}
	mac, to := m.to(netip.Addr{}, true)
	s.put(mac, to, server, r.ToBytes())
}

// release frees a lease.
func (s *Server) release(now time.Duration, m *message) {
	b := s.byKey[m.key]
	if b == nil || b.addr != m.ciaddr || b.state != Leased || m.server.IsValid() && !s.ours(m.server) {
		return
	}
	b.state, b.ends = Free, now
	s.out.Changed = true
}

// decline keeps an address from everybody that its host found taken.
func (s *Server) decline(now time.Duration, m *message) {
	b := s.byKey[m.key]
	if b == nil || b.addr != m.requested || b.state == Free || !s.ours(m.server) {
		return
	}
	s.rest(b.addr, now)
}

// inform tells a host that has its address from elsewhere what it asks for.
func (s *Server) inform(m *message) {
	if !m.ciaddr.IsValid() {
		return
	}
	for _, p := range s.onSubnet(m.ciaddr) {
		s.stats.Acks++
		s.send(m, m.reply(dhcpv4.MessageTypeAck, p.Server.Addr()), p, m.ciaddr)
		return
	}
}
