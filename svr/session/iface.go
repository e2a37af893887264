package session

import (
	"net/netip"
	"slices"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/secure"
)

// iface is what the engine knows of a network-interface.
type iface struct {
	addrs []ifAddr
	mtu   int
	up    bool
	// waypoint: peers reach us here, so its wayports are ours.
	waypoint bool
	// ranges are ports that peers may use here beyond the default range.
	ranges []policy.PortRange
	recv   *secure.Policy
	nat    bool // a breakout leaves here with an address of the interface
	mss    int  // fixed enforced-mss, 0 without
}

type ifAddr struct {
	addr    [16]byte
	family  uint8
	prefix  netip.Prefix
	gateway netip.Addr
}

// peerPath is a path as the engine uses it.
type peerPath struct {
	peer          policy.PeerID
	ifc           uint16
	local, remote [16]byte
	family        uint8 // of the outer header, 0 while an address is unknown
	send          *secure.Policy
	name          []byte // TLV 19
	transform     bool
	moved         netip.Addr // where BFD found the peer, zero: where it is configured
	// mtu is what an ICMP too-big told, believed until mtuUntil.
	mtu      int
	mtuUntil int64
	told     int // MTU that PathFits published last
	// proven are the last addresses that sent metadata with a good digest.
	proven     [8][16]byte
	provenNext int
}

func addrKey(a [16]byte, family uint8) (k [17]byte) {
	copy(k[:], a[:])
	k[16] = family
	return k
}

func (e *Engine) buildInterfaces() {
	e.own = make(map[[17]byte]uint16)
	e.ifs = make([]iface, len(e.tables.Interfaces))
	for i := range e.tables.Interfaces {
		c := &e.tables.Interfaces[i]
		f := &e.ifs[i]
		f.mtu, f.nat = c.MTU, c.SourceNAT
		f.recv = e.cfg.Recv[i]
		if c.EnforcedMSS == policy.MSSFixed {
			f.mss = int(c.MSS)
		}
		for _, a := range c.Addresses {
			e.addAddress(uint16(i), a.Prefix, a.Gateway)
		}
	}
}

func (e *Engine) addAddress(ifc uint16, p netip.Prefix, gw netip.Addr) {
	b, fam := packet.FromAddr(p.Addr())
	e.ifs[ifc].addrs = append(e.ifs[ifc].addrs, ifAddr{addr: b, family: fam, prefix: p, gateway: gw})
	e.own[addrKey(b, fam)] = ifc
}

func (e *Engine) buildPaths() {
	e.paths = make([]peerPath, len(e.tables.Paths))
	for i := range e.tables.Paths {
		c := &e.tables.Paths[i]
		p := &e.paths[i]
		p.peer, p.ifc, p.transform = c.Peer, uint16(c.If), c.AlwaysTransform
		p.send = e.cfg.Send[i]
		e.setPathAddresses(p, c.Local, c.Remote, c.Name)
		f := &e.ifs[p.ifc]
		f.waypoint = true
		f.ranges = append(f.ranges, c.LocalPorts...)
	}
}

func (e *Engine) setPathAddresses(p *peerPath, local, remote netip.Addr, name string) {
	p.name = []byte(name)
	p.family = 0
	if !local.IsValid() || !remote.IsValid() {
		return
	}
	p.local, p.family = packet.FromAddr(local)
	p.remote, _ = packet.FromAddr(remote)
}

// SetInterface tells the engine the state of a network-interface and the
// addresses that it has now: by DHCP, or by a configuration that changed. Nil
// leaves configured ones as they are. Carrier loss moves only new
// sessions: established ones stay where they are.
func (e *Engine) SetInterface(ifc uint16, up bool, mtu int, addrs []policy.Address) {
	f := &e.ifs[ifc]
	f.up = up
	if mtu > 0 && mtu != f.mtu {
		f.mtu = mtu
		e.refit(func(g *leg) bool { return g.ifc == ifc })
	}
	if f.has(addrs) || addrs == nil && !e.tables.Interfaces[ifc].DHCP {
		return
	}
	for _, a := range f.addrs {
		delete(e.own, addrKey(a.addr, a.family))
	}
	f.addrs = f.addrs[:0]
	for _, a := range addrs {
		e.addAddress(ifc, a.Prefix, a.Gateway)
	}
	e.readdressPaths(ifc)
	e.rehop(ifc)
}

// has tells that an interface's addresses are these.
func (f *iface) has(addrs []policy.Address) bool {
	return slices.EqualFunc(f.addrs, addrs, func(a ifAddr, b policy.Address) bool {
		return a.prefix == b.Prefix && a.gateway == b.Gateway
	})
}

// readdressPaths gives the paths of ifc their new local waypoint.
func (e *Engine) readdressPaths(ifc uint16) {
	for i := range e.paths {
		c := &e.tables.Paths[i]
		if uint16(c.If) != ifc {
			continue
		}
		remote := e.remoteOf(i)
		local := e.waypointOf(ifc, remote)
		e.setPathAddresses(&e.paths[i], local, remote,
			policy.PathName(e.tables.Interfaces[ifc].Name, local, remote))
	}
}

// waypointOf returns the first address of ifc in the family of remote.
func (e *Engine) waypointOf(ifc uint16, remote netip.Addr) netip.Addr {
	for _, a := range e.ifs[ifc].addrs {
		if !remote.IsValid() || a.prefix.Addr().Is4() == remote.Unmap().Is4() {
			return a.prefix.Addr()
		}
	}
	return netip.Addr{}
}

// ownAddress returns the first address of ifc in a family, zero without one.
func (e *Engine) ownAddress(ifc uint16, family uint8) (a [16]byte, ok bool) {
	for i := range e.ifs[ifc].addrs {
		if e.ifs[ifc].addrs[i].family == family {
			return e.ifs[ifc].addrs[i].addr, true
		}
	}
	return a, false
}

// nextHop takes a reference on the next-hop towards dst on ifc: dst itself on a
// connected subnet, else gw when given, else the interface's gateway.
func (e *Engine) nextHop(ifc uint16, dst [16]byte, family uint8, gw netip.Addr) (uint16, bool) {
	if gw.IsValid() {
		g, fam := packet.FromAddr(gw)
		return e.out.Hop(ifc, g, fam)
	}
	addr := packet.ToAddr(dst, family)
	for i := range e.ifs[ifc].addrs {
		if e.ifs[ifc].addrs[i].prefix.Contains(addr) {
			return e.out.Hop(ifc, dst, family)
		}
	}
	for i := range e.ifs[ifc].addrs {
		a := &e.ifs[ifc].addrs[i]
		if a.gateway.IsValid() && a.family == family {
			g, fam := packet.FromAddr(a.gateway)
			return e.out.Hop(ifc, g, fam)
		}
	}
	return e.out.Hop(ifc, dst, family)
}

// Port plan of an own address (docs/wire.md 8).
const (
	breakoutFirst, breakoutLast = 2048, 9999
	wayportFirst, wayportLast   = 16385, 65533
)

// isWayport says whether port on network-interface ifc belongs to peers.
func (e *Engine) isWayport(ifc, port uint16) bool {
	f := &e.ifs[ifc]
	if !f.waypoint {
		return false
	}
	if port >= wayportFirst && port <= wayportLast {
		return true
	}
	for _, r := range f.ranges {
		if port >= r.First && port <= r.Last {
			return true
		}
	}
	return false
}

// pathMTU is what fits on path id now, in bytes of outer IP packet.
func (e *Engine) pathMTU(id policy.PathID) int {
	p := &e.paths[id]
	m := e.ifs[p.ifc].mtu
	if s := e.cfg.Paths.Status(uint16(id)); s.MTU > 0 {
		m = min(m, s.MTU)
	}
	if p.mtu > 0 && e.now < p.mtuUntil {
		m = min(m, p.mtu)
	}
	return m
}

// prove notes that addr sent metadata with a good digest on this path.
func (p *peerPath) prove(addr *[16]byte) {
	if p.family != 0 && p.remote == *addr {
		return
	}
	for i := range p.proven {
		if p.proven[i] == *addr {
			return
		}
	}
	p.proven[p.provenNext] = *addr
	p.provenNext = (p.provenNext + 1) % len(p.proven)
}

// isProven says whether addr is the configured address of the peer or one it
// has proven.
func (p *peerPath) isProven(addr *[16]byte) bool {
	if p.family != 0 && p.remote == *addr {
		return true
	}
	for i := range p.proven {
		if p.proven[i] == *addr {
			return true
		}
	}
	return false
}
