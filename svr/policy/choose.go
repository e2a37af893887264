package policy

import "net/netip"

// Choice is one way for a session.
type Choice struct {
	Route     int        // index into Service.Routes
	Kind      RouteKind  // of that route
	Path      PathID     // NoPath for a local next-hop
	If        IfID       // egress
	Gateway   netip.Addr // local: configured gateway-ip; zero without
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

// Ask is what Choose wants to know about ways at the moment. Nil functions
// answer no, but for Poor and Merit.
type Ask struct {
	Up   func(PathID) bool // usable now
	IfUp func(IfID) bool
	// Poor says whether a path is beyond the limits of an SLA; nil: none is.
	Poor func(id PathID, sla int) bool
	// Merit of a path under best-path latency or MOS, more is better, 0 unknown;
	// nil: unknown. Local next-hops have none.
	Merit func(id PathID, by Best) int64
	Pick  uint32 // any number that differs between sessions, such as a hash
}

// Choose picks the way for a new session of service s among those whose path
// or interface is up. Hunt takes the best: the cheapest, with best-path latency
// or MOS that of most merit, among equals the first as configured; proportional
// spreads over all of them by pick, any number that differs between sessions,
// such as a hash of the tuple. Ways whose vectors the service-policy does not
// name are used only when no named one is up; those marked never are not used.
// It answers false when nothing is up; the caller answers ICMP unreachable.
func (t *Tables) Choose(s ServiceID, up func(PathID) bool, ifUp func(IfID) bool, pick uint32) (Choice, bool) {
	return t.ChooseBy(s, &Ask{Up: up, IfUp: ifUp, Pick: pick})
}

// Spreads says whether sessions of service s are spread over its ways, so that Pick
// counts.
func (t *Tables) Spreads(s ServiceID) bool {
	return int(s) < len(t.Services) && t.Services[s].Policy.Strategy == Proportional
}

// ChooseBy is Choose for those who know more about paths. With
// path-quality-filter, paths beyond the limits are taken only when no other is
// up and best-effort allows it.
func (t *Tables) ChooseBy(s ServiceID, q *Ask) (Choice, bool) {
	if int(s) >= len(t.Services) {
		return Choice{}, false
	}
	sv := &t.Services[s]
	best := sv.pick(q, sv.Policy.SLA)
	if best < 0 && sv.Policy.SLA != NoSLA && sv.Policy.BestEffort {
		best = sv.pick(q, NoSLA)
	}
	if best < 0 {
		return Choice{}, false
	}
	return sv.choice(&sv.ways[best]), true
}

// pick returns the best usable way that keeps the limits, -1 without one.
func (s *Service) pick(q *Ask, sla int) int {
	skip := 0
	if s.Policy.Strategy == Proportional {
		if n := countUp(s.ways, q, sla); n > 0 {
			skip = int(q.Pick % uint32(n))
		}
	}
	best, merit := -1, int64(0)
	for i := range s.ways {
		w := &s.ways[i]
		if !w.usable(q, sla) {
			continue
		}
		if best >= 0 && s.ways[best].rank != w.rank {
			break
		}
		if s.Policy.Strategy == Proportional {
			best = i
			if skip--; skip < 0 {
				break
			}
			continue
		}
		if m := w.merit(q, s.Policy.Best); best < 0 || m > merit {
			best, merit = i, m
		}
		if s.Policy.Best == BestVector {
			break
		}
	}
	return best
}

// countUp returns the number of usable ways of the first rank that has one.
func countUp(ways []way, q *Ask, sla int) (n int) {
	var rank uint8
	for i := range ways {
		w := &ways[i]
		if n > 0 && w.rank != rank {
			break
		}
		if w.usable(q, sla) {
			rank = w.rank
			n++
		}
	}
	return n
}

// merit of a way, 0 where nothing is known.
func (w *way) merit(q *Ask, by Best) int64 {
	if by == BestVector || q.Merit == nil || w.path == NoPath {
		return 0
	}
	return q.Merit(w.path, by)
}

func (w *way) usable(q *Ask, sla int) bool {
	if w.path == NoPath {
		return q.IfUp(w.ifc)
	}
	return q.Up(w.path) && (sla == NoSLA || q.Poor == nil || !q.Poor(w.path, sla))
}

func (s *Service) choice(w *way) Choice {
	r := &s.Routes[w.route]
	return Choice{Route: w.route, Kind: r.Kind, Path: w.path, If: w.ifc, Gateway: r.Gateway,
		Target: r.Target, SourceNAT: r.SourceNAT, Cost: w.cost, Vector: w.vector}
}

// Compares says whether there is a service-policy that chooses paths by what is
// measured on them: limits that count, or a best-path by latency or MOS.
func (t *Tables) Compares() bool {
	for i := range t.Services {
		if p := t.Services[i].Policy; p.SLA != NoSLA || p.Best != BestVector {
			return true
		}
	}
	return false
}
