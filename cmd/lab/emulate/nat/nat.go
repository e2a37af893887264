// Package nat is a source NAT whose mapping and timers are chosen (RFC 4787),
// where the kernel's knows one kind of each. It is pure: packets and times go in.
// TCP, UDP and ICMP echo of IPv4 pass; fragments, errors and all else do not.
package nat

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"waymark/svr/packet"
)

// Kind says what an inside port's place outside depends on, and whose packets
// come back in by it (RFC 4787 4.1 and 5).
type Kind uint8

// The kinds. The filter is that of the mapping: whoever could have been meant may
// answer.
const (
	Independent Kind = iota // one place for everybody, anybody may answer
	Address                 // one place per outside address
	Symmetric               // one place per outside address and port
)

var kinds = [...]string{"independent", "address", "symmetric"}

// String names the kind.
func (k Kind) String() string { return kinds[k%3] }

// Config is a NAT.
type Config struct {
	External  netip.Addr // what insiders are seen as, IPv4
	Mapping   Kind
	Unreplied time.Duration // how long a mapping lives that nobody answered, 0: 30 s
	Replied   time.Duration // and one that was answered, 0: 120 s
	Seed      uint64        // of the ports: the same seed chooses the same ones
}

// String is what Parse reads: EXTERNAL,MAPPING,UNREPLIED,REPLIED,SEED.
func (c Config) String() string {
	return fmt.Sprintf("%s,%s,%s,%s,%d", c.External, c.Mapping, c.Unreplied, c.Replied, c.Seed)
}

// Parse reads a Config as String writes it.
func Parse(text string) (c Config, err error) {
	f := strings.Split(text, ",")
	if len(f) != 5 {
		return c, fmt.Errorf("NAT %q: want EXTERNAL,MAPPING,UNREPLIED,REPLIED,SEED", text)
	}
	if c.External, err = netip.ParseAddr(f[0]); err != nil || !c.External.Is4() {
		return c, fmt.Errorf("NAT %q: external must be an IPv4 address", text)
	}
	for c.Mapping = 0; kinds[c.Mapping] != f[1]; {
		if c.Mapping++; int(c.Mapping) == len(kinds) {
			return c, fmt.Errorf("NAT %q: mapping must be one of %v", text, kinds)
		}
	}
	for i, d := range []*time.Duration{&c.Unreplied, &c.Replied} {
		if *d, err = time.ParseDuration(f[2+i]); err != nil || *d < 0 {
			return c, fmt.Errorf("NAT %q: times must be durations from 0 on", text)
		}
	}
	if c.Seed, err = strconv.ParseUint(f[4], 10, 64); err != nil {
		return c, fmt.Errorf("NAT %q: seed must be a number from 0 on", text)
	}
	return c, nil
}

// Ports outside lie within these bounds.
const firstPort, lastPort = 1024, 65535

// key names a mapping from inside.
type key struct {
	proto  uint8
	inside netip.AddrPort
	far    netip.AddrPort // as much of it as counts
}

// place names a mapping from outside.
type place struct {
	proto uint8
	port  uint16
}

type mapping struct {
	key     key
	place   place
	used    time.Time
	replied bool
}

// NAT is one.
type NAT struct {
	cfg    Config
	rnd    *rand.Rand
	out    map[key]*mapping
	in     map[place]*mapping
	free   map[uint8][]uint16 // ports of a protocol that nobody has, the next one first
	swept  time.Time
	buffer packet.Packet
}

// New makes a NAT without mappings.
func New(c Config) *NAT {
	if c.Unreplied == 0 {
		c.Unreplied = 30 * time.Second
	}
	if c.Replied == 0 {
		c.Replied = 120 * time.Second
	}
	n := &NAT{cfg: c, rnd: rand.New(rand.NewPCG(c.Seed, 0))}
	n.Forget()
	return n
}

// Forget ends every mapping.
func (n *NAT) Forget() {
	n.out, n.in, n.free = map[key]*mapping{}, map[place]*mapping{}, map[uint8][]uint16{}
}

// Move makes insiders be seen as another address; what was mapped ends.
func (n *NAT) Move(external netip.Addr) {
	n.cfg.External = external
	n.Forget()
}

// Mappings returns how many mappings are alive at a time.
func (n *NAT) Mappings(now time.Time) (count int) {
	for _, m := range n.out {
		if n.alive(m, now) {
			count++
		}
	}
	return count
}

// alive says whether a mapping still holds.
func (n *NAT) alive(m *mapping, now time.Time) bool {
	limit := n.cfg.Unreplied
	if m.replied {
		limit = n.cfg.Replied
	}
	return now.Sub(m.used) < limit
}

// far is what of an outside place a mapping depends on.
func (n *NAT) far(a netip.AddrPort) netip.AddrPort {
	switch n.cfg.Mapping {
	case Independent:
		return netip.AddrPort{}
	case Address:
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

// Out takes the IPv4 packet of buf[off:] from inside and rewrites it in place;
// false: it does not pass.
func (n *NAT) Out(buf []byte, off int, now time.Time) bool {
	p, ok := n.parse(buf, off)
	if !ok {
		return false
	}
	k := key{p.T.Proto, netip.AddrPortFrom(p.T.SrcAddr(), p.T.SrcPort), n.far(netip.AddrPortFrom(p.T.DstAddr(), p.T.DstPort))}
	if p.Kind == packet.KindEcho { // the identifier is both ports
		k.far = n.far(netip.AddrPortFrom(p.T.DstAddr(), 0))
	}
	m := n.out[k]
	if m == nil || !n.alive(m, now) {
		if m = n.begin(k, m, now); m == nil {
			return false
		}
	}
	m.used = now
	t := p.T
	t.Src, _ = packet.FromAddr(n.cfg.External)
	t.SrcPort = m.place.port
	if p.Kind == packet.KindEcho {
		t.DstPort = m.place.port
	}
	return p.Readdress(t)
}

// begin makes a mapping in place of an old one; nil when every port is taken.
func (n *NAT) begin(k key, old *mapping, now time.Time) *mapping {
	if old != nil {
		n.end(old)
	}
	if len(n.free[k.proto]) == 0 {
		n.sweep(k.proto, now)
	}
	free := n.free[k.proto]
	if len(free) == 0 {
		return nil
	}
	m := &mapping{key: k, place: place{k.proto, free[0]}}
	n.free[k.proto] = free[1:]
	n.out[k], n.in[m.place] = m, m
	return m
}

// end gives back what a mapping had.
func (n *NAT) end(m *mapping) {
	delete(n.out, m.key)
	delete(n.in, m.place)
	n.free[m.place.proto] = append(n.free[m.place.proto], m.place.port)
}

// sweep frees the ports of what is over, once a second at most; the first time it
// shuffles all ports.
func (n *NAT) sweep(proto uint8, now time.Time) {
	if _, known := n.free[proto]; !known {
		for _, i := range n.rnd.Perm(lastPort - firstPort + 1) {
			n.free[proto] = append(n.free[proto], uint16(firstPort+i))
		}
		return
	}
	if now.Sub(n.swept) < time.Second {
		return
	}
	n.swept = now
	for _, m := range n.out {
		if !n.alive(m, now) {
			n.end(m)
		}
	}
}

// In takes the IPv4 packet of buf[off:] from outside and rewrites it in place;
// false: nobody inside may be meant.
func (n *NAT) In(buf []byte, off int, now time.Time) bool {
	p, ok := n.parse(buf, off)
	if !ok || p.T.DstAddr() != n.cfg.External {
		return false
	}
	m := n.in[place{p.T.Proto, p.T.DstPort}]
	far := netip.AddrPortFrom(p.T.SrcAddr(), p.T.SrcPort)
	if p.Kind == packet.KindEcho {
		far = netip.AddrPortFrom(far.Addr(), 0)
	}
	if m == nil || !n.alive(m, now) || n.far(far) != m.key.far {
		return false
	}
	m.used, m.replied = now, true
	t := p.T
	t.Dst, _ = packet.FromAddr(m.key.inside.Addr())
	t.DstPort = m.key.inside.Port()
	if p.Kind == packet.KindEcho {
		t.SrcPort = t.DstPort
	}
	return p.Readdress(t)
}

// parse reads a packet that may pass.
func (n *NAT) parse(buf []byte, off int) (*packet.Packet, bool) {
	p := &n.buffer
	p.Reset(buf, off, len(buf), 0)
	if p.Parse() != nil || p.V6() {
		return nil, false
	}
	switch p.Kind {
	case packet.KindTCP, packet.KindUDP, packet.KindEcho:
		return p, true
	}
	return nil, false
}
