package policy

import "net/netip"

// Choice is one way for a session.
type Choice struct {
	Route     int        // index into Service.Routes
	Kind      RouteKind  // of that route
	Path      PathID     // NoPath for a local next-hop
	If        IfID       // egress
	Gateway   netip.Addr // local: configured gateway-ip, see NextHop; zero without
	Target    netip.Addr // new destination, zero to keep it
	SourceNAT bool
	Cost      uint32
	Vector    string // the vector that gave the cost, empty if none did
}

// Choose picks the way for a new session of service s among those whose path
// or interface is up. Hunt takes the cheapest, among equals the first as
// configured; proportional spreads by pick, any number that differs between
// sessions, such as a hash of the tuple. Ways whose vectors the service-policy
// does not name are used only when no named one is up; those marked never are
// not used. It answers false when nothing is up; the caller answers ICMP
// unreachable.
func (t *Tables) Choose(s ServiceID, up func(PathID) bool, ifUp func(IfID) bool, pick uint32) (Choice, bool) {
	return Choice{}, false
}
