package config

import (
	"fmt"
	"net/netip"
)

// Adjacencies returns the peer paths of one node: generated from neighborhoods
// that it shares with other routers, and written ones, merged by peer and
// address. The order is that of the configuration. The findings tell what
// stands in the way of a path.
func (a *Authority) Adjacencies(router, node string) ([]Adjacency, Findings) {
	r, n, finds := a.locate(router, node)
	if n == nil {
		return nil, finds
	}
	g := &generator{auth: a, router: r, node: n}
	for i := range n.Devices {
		d := &n.Devices[i]
		for j := range d.Interfaces {
			g.dev, g.nif = d, &d.Interfaces[j]
			g.first = len(g.made)
			g.networkInterface()
		}
	}
	return g.made, g.finds.findings()
}

// locate finds router and node; an empty node name is the only node.
func (a *Authority) locate(router, node string) (*Router, *Node, Findings) {
	r := a.FindRouter(router)
	if r == nil {
		return nil, nil, Findings{{Error, "authority > router", word(router), "there is no such router", nameList(a.Routers, func(r Router) string { return r.Name })}}
	}
	n := r.FindNode(node)
	if n == nil {
		problem := "there is no such node"
		if node == "" {
			problem = "the router has several nodes: name one"
		}
		return r, nil, Findings{{Error, r.path() + " > node", node, problem, nameList(r.Nodes, func(n Node) string { return n.Name })}}
	}
	return r, n, nil
}

func nameList[T any](list []T, nameOf func(T) string) string {
	set := make(map[string]bool)
	for _, x := range list {
		if name := nameOf(x); name != "" { // of one with a name that is wrong
			set[name] = true
		}
	}
	return listed(set)
}

func (r *Router) path() string { return "authority > router " + word(r.Name) }

// generator makes the adjacencies of one node, interface by interface.
type generator struct {
	auth   *Authority
	router *Router
	node   *Node
	dev    *DeviceInterface
	nif    *NetworkInterface
	first  int // adjacencies of nif are made[first:]
	made   []Adjacency
	finds  collector
}

func (g *generator) path() string {
	return fmt.Sprintf("%s > node %s > device-interface %s > network-interface %s",
		g.router.path(), word(g.node.Name), word(g.dev.Name), word(g.nif.Name))
}

func (g *generator) networkInterface() {
	for i := range g.nif.Neighborhoods {
		own := &g.nif.Neighborhoods[i]
		for j := range g.auth.Routers {
			if r := &g.auth.Routers[j]; r.Name != g.router.Name {
				g.towards(own, r)
			}
		}
	}
	for i := range g.nif.Adjacencies {
		g.write(&g.nif.Adjacencies[i])
	}
	g.sameAddress()
}

// towards generates the adjacencies of one neighborhood to one router.
func (g *generator) towards(own *Neighborhood, r *Router) {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		for j := range n.Devices {
			d := &n.Devices[j]
			for l := range d.Interfaces {
				nif := &d.Interfaces[l]
				theirs := find(nif.Neighborhoods, own.Name, func(x *Neighborhood) string { return x.Name })
				if theirs != nil && n.Enabled && d.Enabled && own.Topology.Peers(theirs.Topology) {
					g.pair(own, &remote{r, n, d, nif, theirs})
				}
			}
		}
	}
}

// remote is the far end of a path.
type remote struct {
	router *Router
	node   *Node
	dev    *DeviceInterface
	nif    *NetworkInterface
	hood   *Neighborhood
}

// waypoint is one place where a peer can be reached: an address, a host name,
// or unknown.
type waypoint struct {
	addr   netip.Addr
	host   string
	reason string
	family int // 4 or 6; 0: any
}

// waypoints lists where the far end is reached.
func (p *remote) waypoints() []waypoint {
	if p.hood.ExternalNATName != "" {
		return []waypoint{{host: p.hood.ExternalNATName}}
	}
	var ways []waypoint
	nat := p.hood.ExternalNAT
	if nat.IsValid() {
		ways = append(ways, waypoint{addr: nat, family: family(nat)})
	}
	for _, a := range p.nif.Addresses {
		replaced := nat.IsValid() && family(nat) == family(a.IP)
		if a.ValidWaypoint && a.IP.IsValid() && !replaced {
			ways = append(ways, waypoint{addr: a.IP, family: family(a.IP)})
		}
	}
	if p.nif.Dynamic() && !nat.Is4() {
		w := waypoint{family: 4, host: p.nif.Hostname}
		if w.host == "" {
			w.reason = ReasonNoAddress
		}
		ways = append(ways, w)
	}
	return ways
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// pair generates one adjacency per waypoint of a family that we have.
func (g *generator) pair(own *Neighborhood, p *remote) {
	made := 0
	ways := p.waypoints()
	for _, w := range ways {
		if local, ok := g.nif.waypoint(w.family); ok {
			g.made = append(g.made, g.generate(own, p, w, local))
			made++
		}
	}
	if made == 0 {
		g.finds.add(Warning, g.path()+" > neighborhood "+word(own.Name), "",
			fmt.Sprintf("no path to %s: no address of one family at both ends", p.router.Name), "")
	}
}

// waypoint returns our own address of a family; invalid with a dynamic one.
func (n *NetworkInterface) waypoint(fam int) (netip.Addr, bool) {
	for _, a := range n.Addresses {
		if a.ValidWaypoint && a.IP.IsValid() && (fam == 0 || family(a.IP) == fam) {
			return a.IP, true
		}
	}
	return netip.Addr{}, n.Dynamic() && fam != 6
}

// generate joins both sides' leaves, see pathMerge.
func (g *generator) generate(own *Neighborhood, p *remote, w waypoint, local netip.Addr) Adjacency {
	a := g.local(local)
	a.Neighborhood, a.Generated = own.Name, true
	a.OwnPortRanges, a.OwnConnectivity = own.PortRanges, own.Connectivity
	a.PeerRouter, a.PeerNode, a.PeerDevice, a.PeerInterface = p.router.Name, p.node.Name, p.dev.Name, p.nif.Name
	a.PeerAddress, a.PeerHostname, a.Reason = w.addr, w.host, w.reason
	a.SendPolicy = p.nif.InterRouterSecurity
	a.Origins["ip-address"], a.Origins["inter-router-security"] = OriginPeer, OriginPeer
	a.Origins["cost"] = OriginOwn
	for _, m := range pathMerge {
		from := &own.PathLeaves
		if m.from == OriginPeer {
			from = &p.hood.PathLeaves
		}
		m.copy(&a.PathLeaves, from)
		a.Origins[m.leaf] = m.from
	}
	if !own.UDPTransform.Always && p.hood.UDPTransform.Always {
		a.UDPTransform.Always = true
		a.Origins["udp-transform.mode"] = OriginPeer
	}
	return a
}

// local starts an adjacency of the interface at hand.
func (g *generator) local(addr netip.Addr) Adjacency {
	return Adjacency{
		LocalDevice: g.dev.Name, LocalInterface: g.nif.Name, LocalAddress: addr,
		ReceivePolicy: g.nif.InterRouterSecurity, OwnConnectivity: Bidirectional,
		Origins: make(map[string]Origin),
	}
}

// sameAddress refuses two adjacencies of the interface to one address: their
// wayports could not be told apart.
func (g *generator) sameAddress() {
	seen := make(map[netip.Addr]*Adjacency)
	for i := range g.made[g.first:] {
		a := &g.made[g.first+i]
		if !a.PeerAddress.IsValid() {
			continue
		}
		if b := seen[a.PeerAddress]; b != nil {
			g.finds.add(Error, g.path(), a.PeerAddress.String(), fmt.Sprintf(
				"two adjacencies lead to one address: %s and %s", b.title(), a.title()), "one adjacency per address of an interface")
		}
		seen[a.PeerAddress] = a
	}
}

func (a *Adjacency) title() string {
	if a.Neighborhood == "" {
		return a.PeerRouter + " (written)"
	}
	return a.PeerRouter + " in neighborhood " + a.Neighborhood
}
