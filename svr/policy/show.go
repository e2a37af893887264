package policy

import (
	"net/netip"
	"strconv"

	"waymark/svr/packet"
)

// Source types of MemberRow.
const (
	SourceInterface    = "interface"
	SourceNeighborhood = "neighborhood"
)

// MemberRow is one row of `show tenant members`: sources on an interface that
// belong to a tenant.
type MemberRow struct {
	If           IfID
	Prefix       netip.Prefix // zero: every source
	Tenant       TenantID
	Source       string // SourceInterface or SourceNeighborhood
	Neighborhood string // of a member
}

// TenantMembers lists every rule that gives packets without metadata a tenant,
// by interface, in the order they are asked.
func (t *Tables) TenantMembers() []MemberRow { return t.members }

// FIBRow is one row of `show fib`.
type FIBRow struct {
	Prefix   netip.Prefix
	Port     PortRange // zero: any
	Proto    uint8     // 0: any
	Tenant   string    // as in the access-policy: tenant, prefix or tenant@prefix
	Service  ServiceID
	Deny     bool
	NextHops []NextHopRow // none: no route
}

// NextHopRow is one way of a service as tables show it.
type NextHopRow struct {
	Route    string // name of the service-route
	Kind     RouteKind
	Peer     string // of a peer route
	Path     PathID
	If       IfID
	Address  netip.Addr // gateway or remote waypoint; zero: on link, or unknown
	Target   netip.Addr
	Vector   string
	Cost     uint32
	Up       bool // ServicePaths only
	NotTaken bool // a vector of the service-policy says never, or the peer has no path
}

// PortText returns the Port cell: a number, a range or <any>.
func (r *FIBRow) PortText() string {
	switch {
	case r.Port == PortRange{}:
		return "<any>"
	case r.Port.First == r.Port.Last:
		return strconv.Itoa(int(r.Port.First))
	}
	return strconv.Itoa(int(r.Port.First)) + "-" + strconv.Itoa(int(r.Port.Last))
}

// ProtoText returns the Proto cell: a name, a number or <any>.
func (r *FIBRow) ProtoText() string {
	switch r.Proto {
	case 0:
		return "<any>"
	case packet.ProtoICMP:
		return "icmp"
	case packet.ProtoTCP:
		return "tcp"
	case packet.ProtoUDP:
		return "udp"
	}
	return strconv.Itoa(int(r.Proto))
}

// FIB lists every entry as configured: by service, address, transport and
// access-policy, in the order of the configuration.
func (t *Tables) FIB() (rows []FIBRow) {
	for i := range t.Services {
		s := &t.Services[i]
		hops := t.nextHops(s)
		for _, p := range s.Addresses {
			for _, r := range transportRows(s.Transport) {
				for _, a := range s.Access {
					r.Prefix, r.Service, r.NextHops = p, s.ID, hops
					r.Tenant, r.Deny = t.accessText(a), a.Deny
					rows = append(rows, r)
				}
			}
		}
	}
	return rows
}

// transportRows returns one row per protocol and port range.
func transportRows(ts []Transport) (rows []FIBRow) {
	if len(ts) == 0 {
		return []FIBRow{{}}
	}
	for _, tr := range ts {
		if len(tr.Ports) == 0 {
			rows = append(rows, FIBRow{Proto: tr.Proto})
		}
		for _, p := range tr.Ports {
			rows = append(rows, FIBRow{Proto: tr.Proto, Port: p})
		}
	}
	return rows
}

// accessText writes the source of an access-policy entry.
func (t *Tables) accessText(a Access) string {
	switch {
	case a.Tenant == NoTenant && !a.Source.IsValid():
		return "<any>"
	case a.Tenant == NoTenant:
		return a.Source.String()
	case !a.Source.IsValid():
		return t.Tenants[a.Tenant].Name
	}
	return t.Tenants[a.Tenant].Name + "@" + a.Source.String()
}

// ServicePathRow is one row of `show service-path`.
type ServicePathRow struct {
	Service ServiceID
	NextHopRow
}

// ServicePaths lists every way of every service, best first, with its state;
// services without any have no row. up and ifUp are as for Choose.
func (t *Tables) ServicePaths(up func(PathID) bool, ifUp func(IfID) bool) (rows []ServicePathRow) {
	for i := range t.Services {
		s := &t.Services[i]
		for _, h := range t.nextHops(s) {
			switch {
			case h.NotTaken:
			case h.Path != NoPath:
				h.Up = up(h.Path)
			default:
				h.Up = ifUp(h.If)
			}
			rows = append(rows, ServicePathRow{s.ID, h})
		}
	}
	return rows
}

// nextHops lists the ways of a service, then the routes that give none.
func (t *Tables) nextHops(s *Service) (rows []NextHopRow) {
	taken := make([]bool, len(s.Routes))
	for i := range s.ways {
		w := &s.ways[i]
		taken[w.route] = true
		h := t.routeRow(&s.Routes[w.route])
		h.Path, h.If, h.Vector, h.Cost = w.path, w.ifc, w.vector, w.cost
		if w.path != NoPath {
			h.Address = t.Paths[w.path].Remote
		}
		rows = append(rows, h)
	}
	for i := range s.Routes {
		if !taken[i] {
			h := t.routeRow(&s.Routes[i])
			h.NotTaken = true
			rows = append(rows, h)
		}
	}
	return rows
}

// routeRow fills what all ways of a route share.
func (t *Tables) routeRow(r *Route) NextHopRow {
	h := NextHopRow{Route: r.Name, Kind: r.Kind, Path: NoPath, If: r.If, Address: r.Gateway, Target: r.Target}
	if r.Kind == RoutePeer {
		h.Peer = t.Peers[r.Peer].Name
		return h
	}
	for _, a := range t.Interfaces[r.If].Addresses {
		if !h.Address.IsValid() {
			h.Address = a.Gateway
		}
	}
	return h
}
