package policy

import "net/netip"

// Choice is one way for a session.
type Choice struct {
	Route     int        // index into Service.Routes
	Kind      RouteKind  // of that route
	Path      PathID     // NoPath for a local next-hop
	If        IfID       // egress
	Gateway   netip.Addr // local: configured gateway-ip, for NextHop; zero without
	Target    netip.Addr // new destination, zero to keep it
	SourceNAT bool
	Cost      uint32
	Vector    string // the vector that gave the cost, empty if none did
}

// way is one path or local next-hop of a service with its cost.
type way struct {
	route  int
	path   PathID
	ifc    IfID
	rank   uint8 // 0: the service-policy names its vector, 1: it does not
	cost   uint32
	vector string
}

// Choose picks the way for a new session of service s among those whose path
// or interface is up. Hunt takes the cheapest, among equals the first as
// configured; proportional spreads over all of them by pick, any number that
// differs between sessions, such as a hash of the tuple. Ways whose vectors
// the service-policy does not name are used only when no named one is up;
// those marked never are not used. It answers false when nothing is up; the
// caller answers ICMP unreachable.
func (t *Tables) Choose(s ServiceID, up func(PathID) bool, ifUp func(IfID) bool, pick uint32) (Choice, bool) {
	if int(s) >= len(t.Services) {
		return Choice{}, false
	}
	sv := &t.Services[s]
	skip := 0
	if sv.Policy.Strategy == Proportional {
		if n := countUp(sv.ways, up, ifUp); n > 0 {
			skip = int(pick % uint32(n))
		}
	}
	best := -1
	for i := range sv.ways {
		w := &sv.ways[i]
		if !w.usable(up, ifUp) {
			continue
		}
		if best >= 0 && sv.ways[best].rank != w.rank {
			break
		}
		best = i
		if skip--; skip < 0 {
			break
		}
	}
	if best < 0 {
		return Choice{}, false
	}
	return sv.choice(&sv.ways[best]), true
}

// countUp returns the number of usable ways of the first rank that has one.
func countUp(ways []way, up func(PathID) bool, ifUp func(IfID) bool) (n int) {
	var rank uint8
	for i := range ways {
		w := &ways[i]
		if n > 0 && w.rank != rank {
			break
		}
		if w.usable(up, ifUp) {
			rank = w.rank
			n++
		}
	}
	return n
}

func (w *way) usable(up func(PathID) bool, ifUp func(IfID) bool) bool {
	if w.path != NoPath {
		return up(w.path)
	}
	return ifUp(w.ifc)
}

func (s *Service) choice(w *way) Choice {
	r := &s.Routes[w.route]
	return Choice{Route: w.route, Kind: r.Kind, Path: w.path, If: w.ifc, Gateway: r.Gateway,
		Target: r.Target, SourceNAT: r.SourceNAT, Cost: w.cost, Vector: w.vector}
}

// NextHop returns whom to ask for by ARP or ND to reach dst from an interface
// with these addresses: the gateway-ip of the route if it has one, dst itself
// if one of the addresses is of its subnet, else the gateway of an address of
// its family. False: there is no way.
func NextHop(addrs []Address, gateway, dst netip.Addr) (netip.Addr, bool) {
	if gateway.IsValid() && gateway.Is4() == dst.Is4() {
		return gateway, true
	}
	for i := range addrs {
		if addrs[i].Prefix.Contains(dst) {
			return dst, true
		}
	}
	for i := range addrs {
		if g := addrs[i].Gateway; g.IsValid() && g.Is4() == dst.Is4() {
			return g, true
		}
	}
	return netip.Addr{}, false
}
