package config

import "fmt"

// smallRange is the number of peer ports below which a clear service is easy
// to guess into: a bystander needs one of so many ports besides ours.
const smallRange = 256

// Check finds what is wrong for one router beyond what Parse found: names that
// do not exist, paths that cannot be, services without a way. node may be
// empty when the router has one.
func (a *Authority) Check(router, node string) Findings {
	adjs, finds := a.Adjacencies(router, node)
	r, n, _ := a.locate(router, node)
	if n == nil {
		return finds
	}
	c := &collector{list: finds}
	if !n.Enabled {
		c.add(Warning, r.path()+" > node "+word(n.Name)+" > enabled", "false", "the node forwards nothing", "")
	}
	for i := range r.ServiceRoutes {
		a.checkRoute(c, r, &r.ServiceRoutes[i], adjs)
	}
	return c.findings()
}

// checkRoute looks at the paths a service-route can take.
func (a *Authority) checkRoute(c *collector, r *Router, route *ServiceRoute, adjs []Adjacency) {
	path := r.path() + " > service-route " + word(route.Name)
	svc := a.FindService(route.Service)
	if svc != nil && !svc.AppliesToRouter(r) {
		c.add(Warning, path+" > service-name", word(route.Service), "the service does not apply to this router", "")
	}
	clear := svc != nil && a.SecurityOf(svc).Clear()
	for _, peer := range route.Peers {
		ways := 0
		for i := range adjs {
			if adjs[i].PeerRouter != peer {
				continue
			}
			ways++
			if ports := portsOf(adjs[i].PortRanges); clear && ports > 0 && ports < smallRange {
				c.add(Warning, path, "", fmt.Sprintf("service %s is neither encrypted nor signed and %s takes it on %d ports by %s: easy to guess into",
					svc.Name, peer, ports, adjs[i].LocalInterface), "")
			}
		}
		if ways == 0 {
			c.add(Warning, path+" > peer", word(peer), "no path leads to this peer", "")
		}
	}
}

// portsOf counts the ports of ranges that do not overlap.
func portsOf(ranges []PortRange) int {
	n := 0
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}
