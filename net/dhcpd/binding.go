package dhcpd

import (
	"hash/fnv"
	"net/netip"
	"time"

	"waymark/net/frame"
)

// State is what an address is to a host.
type State string

// The states of an address that was given once. One that was never given has
// none.
const (
	Offered  State = "offered"
	Leased   State = "leased"
	Free     State = "free"     // a host had it; the same gets it again if it can
	Declined State = "declined" // somebody without a lease has it
)

// binding ties an address to a host. It outlives its lease, so that the host
// finds its address again, until another host needs it.
type binding struct {
	addr     netip.Addr
	key      string
	mac      frame.MAC
	hostname string
	state    State
	ends     time.Duration // of the state; a free one: since when
}

const (
	offerTerm   = time.Minute
	declineTerm = 10 * time.Minute
)

// held tells whether an address is somebody's at an instant.
func (b *binding) held(now time.Duration) bool {
	return b != nil && b.state != Free && now < b.ends
}

// bind gives an address to a host, and takes away what either was bound to.
func (s *Server) bind(a netip.Addr, m *message, st State, ends time.Duration) {
	if old := s.byAddr[a]; old != nil && s.byKey[old.key] == old {
		delete(s.byKey, old.key)
	}
	if old := s.byKey[m.key]; old != nil && old.addr != a {
		delete(s.byAddr, old.addr)
	}
	b := &binding{addr: a, key: m.key, mac: m.mac, hostname: m.hostname(), state: st, ends: ends}
	s.byAddr[a], s.byKey[m.key] = b, b
}

// rest keeps an address that a stranger has from everybody for a while.
func (s *Server) rest(a netip.Addr, now time.Duration) {
	if old := s.byAddr[a]; old != nil && s.byKey[old.key] == old {
		delete(s.byKey, old.key)
	}
	s.byAddr[a] = &binding{addr: a, state: Declined, ends: now + declineTerm}
	s.out.Changed = true
	s.stats.Conflicts++
}

// free tells whether an address can be given to a host now.
func (s *Server) free(p *Pool, a netip.Addr, key string, now time.Duration) bool {
	b := s.byAddr[a]
	if !p.contains(a) || !s.mayGive(p, a) || s.probed(a, key) {
		return false
	}
	return !b.held(now) || b.key == key && b.state != Declined
}

// choose finds an address for a host: its own, the one it had, the one it asks
// for, one that nobody had, the one that was free for longest.
func (s *Server) choose(m *message, pools []*Pool, now time.Duration) (netip.Addr, *Pool) {
	for _, p := range pools {
		if a, ok := p.Static[m.mac]; ok {
			return a, p
		}
	}
	had := netip.Addr{}
	if b := s.byKey[m.key]; b != nil {
		had = b.addr
	}
	for _, a := range []netip.Addr{had, m.requested} {
		for _, p := range pools {
			if a.IsValid() && s.free(p, a, m.key, now) {
				return a, p
			}
		}
	}
	return s.search(m, pools, now)
}

// search begins where the host's key points to, so that a host finds the same
// address again although we forgot it.
func (s *Server) search(m *message, pools []*Pool, now time.Duration) (oldest netip.Addr, pool *Pool) {
	h := fnv.New32a()
	h.Write([]byte(m.key))
	since := time.Duration(0)
	for _, p := range pools {
		n := p.size()
		for i := range n {
			a := p.nth((int(h.Sum32()%uint32(n)) + i) % n)
			if !s.free(p, a, m.key, now) {
				continue
			}
			b := s.byAddr[a]
			if b == nil {
				return a, p
			}
			if pool == nil || b.ends < since {
				oldest, pool, since = a, p, b.ends
			}
		}
	}
	return oldest, pool
}

// Lease is a binding as it is shown and kept.
type Lease struct {
	Address  netip.Addr    `json:"address"`
	Key      []byte        `json:"key"`
	MAC      frame.MAC     `json:"mac"`
	Hostname string        `json:"hostname,omitempty"`
	State    State         `json:"state"`
	Left     time.Duration `json:"left-ns"` // until it ends; of a free one: minus since when
}

// ClientID is what the host calls itself, in hexadecimal digits.
func (l *Lease) ClientID() string { return showKey(string(l.Key)) }
