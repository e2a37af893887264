package policy

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"waymark/mgmt/config"
)

// addRoutes gives every service its service-routes and orders its ways.
func (b *builder) addRoutes() error {
	own := map[string][]Route{}
	for i := range b.router.ServiceRoutes {
		r := &b.router.ServiceRoutes[i]
		routes, err := b.routesOf(r)
		if err != nil {
			return fmt.Errorf("add service-route %q: %w", r.Name, err)
		}
		own[r.Service] = append(own[r.Service], routes...)
	}
	for i := range b.t.Services {
		s := &b.t.Services[i]
		s.Routes = b.serviceRoutes(own, s.Name)
		s.ways = b.t.waysOf(s)
	}
	return nil
}

// serviceRoutes returns the routes of a service: its own, or those of the
// nearest ancestor with some, if that one shares them (share-service-routes).
func (b *builder) serviceRoutes(own map[string][]Route, name string) []Route {
	c := b.services[name]
	if r := own[name]; len(r) > 0 {
		return b.withNAT(r, c)
	}
	for p := ancestor(b.services, name, nil); p != nil; p = ancestor(b.services, p.Name, nil) {
		if r := own[p.Name]; len(r) > 0 && p.ShareServiceRoutes {
			return b.withNAT(r, c)
		} else if len(r) > 0 {
			return nil
		}
	}
	return nil
}

// withNAT copies routes and settles source-NAT: the interface's, unless the
// service disables it.
func (b *builder) withNAT(routes []Route, c *config.Service) []Route {
	routes = slices.Clone(routes)
	for i := range routes {
		r := &routes[i]
		r.SourceNAT = r.Kind == RouteLocal && c.SourceNAT != "disabled" && b.t.Interfaces[r.If].SourceNAT
	}
	return routes
}

// routesOf returns one route per peer and per next-hop of this node.
func (b *builder) routesOf(c *config.ServiceRoute) (out []Route, err error) {
	for _, name := range c.Peers {
		r := Route{Name: c.Name, Kind: RoutePeer, Peer: b.peerID(name), If: NoIf}
		r.Paths = b.t.Peers[r.Peer].Paths
		out = append(out, r)
	}
	for _, h := range c.NextHops {
		if h.Node != "" && h.Node != b.node.Name {
			continue
		}
		ifc, ok := b.ifByName[h.Interface]
		if !ok {
			return nil, fmt.Errorf("find network-interface %q: %w", h.Interface, ErrReference)
		}
		out = append(out, Route{Name: c.Name, Kind: RouteLocal, Peer: NoPeer, If: ifc,
			Gateway: h.Gateway, Target: h.Target})
	}
	return out, nil
}

// waysOf lists the paths and next-hops of a service, best first.
func (t *Tables) waysOf(s *Service) (ways []way) {
	for i := range s.Routes {
		r := &s.Routes[i]
		if r.Kind == RouteLocal {
			w := way{route: i, path: NoPath, ifc: r.If}
			if w.price(s.Policy, t.Interfaces[r.If].Vectors) {
				ways = append(ways, w)
			}
		}
		for _, id := range r.Paths {
			p := &t.Paths[id]
			w := way{route: i, path: id, ifc: p.If, cost: p.Cost}
			if w.price(s.Policy, p.Vectors) {
				ways = append(ways, w)
			}
		}
	}
	sort.SliceStable(ways, func(i, j int) bool {
		a, b := &ways[i], &ways[j]
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.cost, b.cost)) < 0
	})
	return ways
}

// price adds what the service-policy says about the vectors of a way: the
// lowest cost among them. It answers false if one of them is never to be used.
func (w *way) price(p *ServicePolicy, vectors []string) bool {
	base := w.cost
	w.rank = 1
	for _, v := range p.Vectors {
		if !slices.Contains(vectors, v.Name) {
			continue
		}
		if v.Never {
			return false
		}
		if w.rank == 1 || base+v.Cost < w.cost {
			w.rank, w.cost, w.vector = 0, base+v.Cost, v.Name
		}
	}
	return true
}
