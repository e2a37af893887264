package policy

import (
	"net/netip"
	"time"

	"waymark/mgmt/config"
)

// Scope is the scope of a service.
type Scope uint8

// A private service hides its addresses from public ones (FIB order).
const (
	ScopePrivate Scope = iota
	ScopePublic
)

// Service is one service that applies to this router, with what it inherits
// from its parents filled in.
type Service struct {
	ID        ServiceID
	Name      string
	Parent    ServiceID // NoService without one
	Scope     Scope
	Addresses []netip.Prefix
	Transport []Transport // empty = everything
	Access    []Access
	Security  SecurityID     // payload policy; NoSecurity without one
	Policy    *ServicePolicy // never nil
	Routes    []Route        // those of this router and node, in configured order

	ways []way // what Choose walks, best first
}

// Access is one access-policy entry.
type Access struct {
	Tenant TenantID     // the tenant and its children; NoTenant = any
	Source netip.Prefix // zero = any
	Deny   bool
}

// RouteKind tells the two kinds of next-hop apart.
type RouteKind uint8

// RoutePeer goes through a peer by SVR, RouteLocal leaves by an interface.
const (
	RoutePeer RouteKind = iota
	RouteLocal
)

// Route is one way to serve a service from this node: a peer, or one next-hop
// of a local service-route.
type Route struct {
	Name string // of the service-route
	Kind RouteKind

	Peer  PeerID   // RoutePeer
	Paths []PathID // RoutePeer: the paths of that peer

	If        IfID       // RouteLocal
	Gateway   netip.Addr // RouteLocal: gateway-ip, zero if not configured
	Target    netip.Addr // target-address: new destination, zero if none
	SourceNAT bool       // RouteLocal: sessions get an address of If

}

// Strategy is the lb-strategy of a service-policy.
type Strategy uint8

// Hunt takes the cheapest usable way, Proportional spreads.
const (
	Hunt Strategy = iota
	Proportional
)

// Best is the best-path of a service-policy: what ways are compared by.
type Best uint8

// The values of best-path.
const (
	BestVector Best = iota
	BestLatency
	BestMOS
)

// NoSLA marks a service-policy whose limits do not count.
const NoSLA = -1

// Resiliency says what happens to the sessions of a lost path.
type Resiliency uint8

// The values of session-resiliency.
const (
	ResiliencyNone Resiliency = iota
	ResiliencyFailover
	ResiliencyRevertible
	ResiliencyDuplication
)

// Enforcement says what happens to TCP packets that fit no state.
type Enforcement uint8

// The values of transport-state-enforcement.
const (
	EnforceReset Enforcement = iota // the default
	EnforceAllow
	EnforceBlock
)

// ServicePolicy is one service-policy, or the built-in default of services
// that name none.
type ServicePolicy struct {
	Name        string // empty for the built-in default
	Class       string // service-class
	DSCP        uint8  // of the service-class
	Strategy    Strategy
	Resiliency  Resiliency
	Enforcement Enforcement
	Best        Best
	// SLA is the number of the limits that paths must keep, an index of
	// Tables.SLAs; NoSLA: none. BestEffort uses poor paths rather than none.
	SLA        int
	BestEffort bool
	MaxLoss    float64 // percent
	MaxLatency time.Duration
	MaxJitter  time.Duration
	MinMOS     float64 // 0: none
	Vectors    []Vector
}

// Vector gives the paths of that name a cost.
type Vector struct {
	Name  string
	Cost  uint32
	Never bool // paths of this vector are not used at all
}

// Peer is one router that this one has paths to.
type Peer struct {
	ID    PeerID
	Name  string
	Paths []PathID
}

// Path is one adjacency of this node: a local interface towards one waypoint
// of a peer.
type Path struct {
	ID     PathID
	Peer   PeerID
	If     IfID
	Name   string     // TLV 19; see PathName
	Local  netip.Addr // own waypoint; zero until DHCP gave one
	Remote netip.Addr // peer's waypoint; zero until BFD names it

	RemoteHostname string
	PeerPorts      []PortRange // where the peer wants to be reached; empty = default range
	LocalPorts     []PortRange // where the peer reaches us; empty = default range
	MaxWayPoints   int         // live wayport pairs
	Vectors        []string
	Cost           uint32 // of the adjacency, added to the vector's

	AlwaysTransform bool       // UDP transform, from either side
	SendPolicy      SecurityID // what metadata to this peer is protected with
	OutboundOnly    bool       // only we can open towards the peer
	PeerOutbound    bool       // only the peer can open towards us
	MTUDiscovery    bool
	ICMPErrors      bool // encapsulate-icmp-error-messages
	Padding         bool // post-encryption-padding

	// Adjacency is the whole adjacency as configured: BFD, keep-alive, origins
	// and whatever else the fields above do not repeat.
	Adjacency config.Adjacency
}

// maxPathName bounds TLV 19 (protocol 1).
const maxPathName = 128

// PathName returns the value of TLV 19:
// "<network-interface>:<local waypoint>><remote waypoint>", at most 128 bytes.
// An unknown address prints as nothing.
func PathName(ifName string, local, remote netip.Addr) string {
	s := ifName + ":" + addrText(local) + ">" + addrText(remote)
	if len(s) > maxPathName {
		s = s[:maxPathName]
	}
	return s
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
