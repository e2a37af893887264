package dhcpd

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

// Never is an instant that does not come.
const Never = time.Duration(math.MaxInt64)

// Output is what a server wants done.
type Output struct {
	Frames  [][]byte
	Changed bool // leases are others than before
}

// Stats count what a server did.
type Stats struct {
	Discovers, Requests, Releases, Declines, Informs uint64
	Offers, Acks, Naks                               uint64
	Malformed                                        uint64 // packets that are no request
	Exhausted                                        uint64 // hosts that found no address free
	Overload                                         uint64 // requests dropped because too many addresses are being probed
	Conflicts                                        uint64 // addresses that somebody without a lease has
}

// Server is a server's state. Instants are monotonic durations since any moment;
// every call carries the present one. One goroutine.
type Server struct {
	cfg    Config
	out    Output
	stats  Stats
	fixed  map[netip.Addr]bool // addresses of static assignments
	byAddr map[netip.Addr]*binding
	byKey  map[string]*binding
	probes []*probing
}

// New makes a server without leases.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, fixed: map[netip.Addr]bool{}, byAddr: map[netip.Addr]*binding{}, byKey: map[string]*binding{}}
	for _, p := range cfg.Pools {
		for _, a := range p.Static {
			s.fixed[a] = true
		}
	}
	return s
}

// Take returns what has to be done since the last Take.
func (s *Server) Take() Output {
	o := s.out
	s.out = Output{}
	return o
}

// Stats returns the counters.
func (s *Server) Stats() Stats { return s.stats }

// Leases returns all bindings at an instant, by address.
func (s *Server) Leases(now time.Duration) []Lease {
	list := make([]Lease, 0, len(s.byAddr))
	for _, b := range s.byAddr {
		l := Lease{Address: b.addr, Key: []byte(b.key), MAC: b.mac, Hostname: b.hostname, State: b.state, Left: b.ends - now}
		if l.Left < 0 {
			l.State = Free
		}
		list = append(list, l)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Address.Compare(list[j].Address) < 0 })
	return list
}

// Capacity is how many addresses the server can give.
func (s *Server) Capacity() int {
	n := 0
	for i := range s.cfg.Pools {
		p := &s.cfg.Pools[i]
		for j := range p.size() {
			if s.mayGive(p, p.nth(j)) {
				n++
			}
		}
		n += len(p.Static)
	}
	return n
}

// Restore takes back what an earlier process kept so long ago. What the pools do
// not give any more is left out.
func (s *Server) Restore(list []Lease, age, now time.Duration) {
	sort.Slice(list, func(i, j int) bool { return list[i].Left < list[j].Left })
	for _, l := range list {
		p := s.poolOf(l.Address)
		if p == nil || len(l.Key) == 0 || !s.fixed[l.Address] && !s.mayGive(p, l.Address) ||
			s.fixed[l.Address] && p.Static[l.MAC] != l.Address {
			continue
		}
		b := &binding{addr: l.Address, key: string(l.Key), mac: l.MAC, hostname: l.Hostname, state: Leased, ends: now + l.Left - age}
		if l.State != Leased || b.ends <= now {
			b.state, b.ends = Free, min(b.ends, now)
		}
		if old := s.byKey[b.key]; old != nil {
			delete(s.byAddr, old.addr)
		}
		s.byAddr[b.addr], s.byKey[b.key] = b, b
	}
}

// Frame takes a frame of the link: DHCP and ARP, anything else is no matter.
func (s *Server) Frame(now time.Duration, b []byte) {
	if len(b) < frame.EtherLen {
		return
	}
	switch binary.BigEndian.Uint16(b[12:]) {
	case frame.TypeARP:
		if a, ok := frame.ReadARP(b); ok {
			s.hearARP(now, a)
		}
	case frame.TypeIPv4:
		d, err := frame.ReadUDP(b, serverPort)
		if err != nil {
			return
		}
		m, err := parse(d)
		if err != nil {
			s.stats.Malformed++
			return
		}
		s.handle(now, m)
	}
}

func (s *Server) handle(now time.Duration, m *message) {
	switch m.kind {
	case dhcpv4.MessageTypeDiscover:
		s.stats.Discovers++
		s.discover(now, m)
	case dhcpv4.MessageTypeRequest:
		s.stats.Requests++
		s.request(now, m)
	case dhcpv4.MessageTypeRelease:
		s.stats.Releases++
		s.release(now, m)
	case dhcpv4.MessageTypeDecline:
		s.stats.Declines++
		s.decline(now, m)
	case dhcpv4.MessageTypeInform:
		s.stats.Informs++
		s.inform(m)
	default:
		s.stats.Malformed++
	}
}

// pools are those that serve where a message came from.
func (s *Server) pools(m *message) (list []*Pool) {
	if m.giaddr.IsValid() {
		return s.onSubnet(m.giaddr)
	}
	for i := range s.cfg.Pools {
		list = append(list, &s.cfg.Pools[i])
	}
	return list
}

// ours tells whether a message names one of our addresses as its server.
func (s *Server) ours(a netip.Addr) bool {
	return slices.ContainsFunc(s.cfg.Pools, func(p Pool) bool { return p.Server.Addr() == a })
}
