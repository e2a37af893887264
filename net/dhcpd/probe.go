package dhcpd

import (
	"net/netip"
	"slices"
	"time"

	"waymark/net/frame"
)

// Probing an address before it is offered: two questions, as many pauses. A
// host that answers ARP does so within milliseconds; clients wait a second.
const (
	probeCount = 2
	probePause = 200 * time.Millisecond
	probeTries = 4  // addresses that are tried for one host
	maxProbes  = 64 // hosts that wait at once
)

// probing is an address that is about to be offered.
type probing struct {
	m     *message
	addr  netip.Addr
	pool  *Pool
	asked int
	tries int
	due   time.Duration
}

func (s *Server) probe(now time.Duration, m *message, a netip.Addr, p *Pool) {
	if len(s.probes) == maxProbes {
		s.stats.Overload++
		return
	}
	x := &probing{m: m, addr: a, pool: p, tries: 1}
	s.probes = append(s.probes, x)
	s.ask(now, x)
}

func (s *Server) ask(now time.Duration, x *probing) {
	x.asked++
	x.due = now + probePause
	s.out.Frames = append(s.out.Frames, frame.Probe(s.cfg.MAC, x.addr))
}

func (s *Server) probeOf(key string) *probing {
	for _, x := range s.probes {
		if x.m.key == key {
			return x
		}
	}
	return nil
}

// probed tells whether an address is being probed for another host.
func (s *Server) probed(a netip.Addr, key string) bool {
	return slices.ContainsFunc(s.probes, func(x *probing) bool { return x.addr == a && x.m.key != key })
}

// Deadline is when Tick has to be called, Never if it need not.
func (s *Server) Deadline() time.Duration {
	d := Never
	for _, x := range s.probes {
		d = min(d, x.due)
	}
	return d
}

// Tick asks again for addresses that nobody answered for, and offers them.
func (s *Server) Tick(now time.Duration) {
	for _, x := range slices.Clone(s.probes) {
		switch {
		case now < x.due:
		case x.asked < probeCount:
			s.ask(now, x)
		default:
			s.unprobe(x)
			s.offer(now, x.m, x.addr, x.pool)
		}
	}
}

func (s *Server) unprobe(x *probing) {
	s.probes = slices.DeleteFunc(s.probes, func(y *probing) bool { return x == y })
}

// hearARP takes an address off the host that was to get it when another station
// has it.
func (s *Server) hearARP(now time.Duration, a frame.ARP) {
	for _, x := range slices.Clone(s.probes) {
		if a.Sender != x.addr || a.MAC == x.m.mac || a.MAC == s.cfg.MAC {
			continue
		}
		s.rest(x.addr, now)
		s.unprobe(x)
		next, pool := s.choose(x.m, s.pools(x.m), now)
		if pool == nil || next == x.addr || x.tries == probeTries {
			s.stats.Exhausted++
			continue
		}
		x.addr, x.pool, x.asked = next, pool, 0
		x.tries++
		s.probes = append(s.probes, x)
		s.ask(now, x)
	}
}

// put sends a DHCP message.
func (s *Server) put(mac frame.MAC, to netip.AddrPort, server netip.Addr, payload []byte) {
	s.out.Frames = append(s.out.Frames, frame.UDP(s.cfg.MAC, mac, netip.AddrPortFrom(server, serverPort), to, payload))
}
