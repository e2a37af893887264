package config

import (
	"net/netip"
	"time"
)

// Authority is the whole configuration: one tree for every router, as on a
// conductor. Lists keep the order of the file.
type Authority struct {
	Name          string
	RekeyInterval time.Duration // 0: never
	// Inactivity is the inactivity-timeout of session-recovery-detection, 0 in
	// mode packet-based.
	Inactivity      time.Duration
	Shelves         []Shelf
	Tenants         []Tenant
	Security        []Security
	ServiceClasses  []ServiceClass
	SessionTypes    []SessionType // configured ones only; see SessionTypeFor
	ServicePolicies []ServicePolicy
	Services        []Service
	Routers         []Router
}

// Tenant is a group of sources. Dots in the name make child.parent.
type Tenant struct {
	Name        string
	Description string
	Security    string // name of a Security, may be empty
	Members     []TenantMember
}

// GlobalTenant is the built-in tenant of sources that have no other; an
// access-policy may name it.
const GlobalTenant = "<global>"

// TenantMember ties source prefixes seen in a neighborhood to the tenant.
type TenantMember struct {
	Neighborhood string
	Addresses    []netip.Prefix // masked
}

// Cipher is an encryption cipher by the vendor's name.
type Cipher string

// Ciphers of security > encryption-cipher.
const (
	CipherCBC128 Cipher = "aes-cbc-128"
	CipherCBC256 Cipher = "aes-cbc-256"
	CipherGCM128 Cipher = "aes-gcm-128"
	CipherGCM256 Cipher = "aes-gcm-256"
)

// KeySize returns the length of the cipher's key in bytes.
func (c Cipher) KeySize() int {
	if c == CipherCBC256 || c == CipherGCM256 {
		return 32
	}
	return 16
}

// GCM tells whether the cipher authenticates by itself.
func (c Cipher) GCM() bool { return c == CipherGCM128 || c == CipherGCM256 }

// HMACMode is security > hmac-mode.
type HMACMode string

// Values of security > hmac-mode.
const (
	HMACDisabled  HMACMode = "disabled"
	HMACRegular   HMACMode = "regular"
	HMACTimeBased HMACMode = "time-based"
)

// HMACCipher is security > hmac-cipher.
type HMACCipher string

// Values of security > hmac-cipher that wire profile 1 has.
const (
	HMACSHA1      HMACCipher = "sha1"
	HMACSHA256    HMACCipher = "sha256"
	HMACSHA256128 HMACCipher = "sha256-128"
)

// Security is one policy of keys. It protects metadata when an interface or a
// router names it, payload when a service does.
type Security struct {
	Name               string
	Description        string
	Encrypt            bool // default true
	Cipher             Cipher
	Key                []byte // nil when none is configured; else Cipher.KeySize() bytes
	IV                 []byte // 16 bytes or nil; accepted and unused (protocol 2)
	AdaptiveEncryption bool
	HMACMode           HMACMode
	HMACCipher         HMACCipher
	HMACKey            []byte // nil when none is configured
}

// ServiceClass is the treatment of a service's packets.
type ServiceClass struct {
	Name         string
	DSCP         uint8
	TrafficClass string // high, medium, low, best-effort
}

// Protocol is a transport protocol by the vendor's name.
type Protocol string

// Protocols of a transport. ProtoAny is a transport without protocol.
const (
	ProtoAny  Protocol = ""
	ProtoTCP  Protocol = "tcp"
	ProtoUDP  Protocol = "udp"
	ProtoICMP Protocol = "icmp"
)

// Number returns the IANA protocol number for the address family (4 or 6), 0
// for ProtoAny.
func (p Protocol) Number(family uint8) uint8 {
	switch p {
	case ProtoTCP:
		return 6
	case ProtoUDP:
		return 17
	case ProtoICMP:
		if family == 6 {
			return 58
		}
		return 1
	}
	return 0
}

// PortRange is an inclusive range of ports.
type PortRange struct{ Start, End uint16 }

// Contains tells whether the port lies in the range.
func (r PortRange) Contains(port uint16) bool { return r.Start <= port && port <= r.End }

// Len returns the number of ports in the range.
func (r PortRange) Len() int { return int(r.End) - int(r.Start) + 1 }

// Overlaps tells whether the ranges share a port.
func (r PortRange) Overlaps(o PortRange) bool { return r.Start <= o.End && o.Start <= r.End }

// Transport is a protocol and its ports; no ports mean every port.
type Transport struct {
	Protocol Protocol
	Ports    []PortRange
}

// SessionType holds the timers of the sessions its transports describe.
type SessionType struct {
	Name           string
	ServiceClass   string
	Timeout        time.Duration // idle time of an established session
	InitialTimeout time.Duration // idle time until it is established
	NATKeepAlive   bool
	Transports     []Transport
}

// Resiliency is service-policy > session-resiliency.
type Resiliency string

// Values of session-resiliency that are built.
const (
	ResiliencyNone               Resiliency = "none"
	ResiliencyFailover           Resiliency = "failover"
	ResiliencyRevertibleFailover Resiliency = "revertible-failover"
)

// StateEnforcement is service-policy > transport-state-enforcement.
type StateEnforcement string

// Values of transport-state-enforcement; reset is the default.
const (
	EnforceAllow StateEnforcement = "allow"
	EnforceBlock StateEnforcement = "block"
	EnforceReset StateEnforcement = "reset"
)

// Values of service-policy > best-path: what makes a path best.
const (
	BestVector  = "vector"
	BestLatency = "average-latency"
	BestMOS     = "mos"
)

// ServicePolicy says how the sessions of a service choose and keep a path.
type ServicePolicy struct {
	Name              string
	Description       string
	ServiceClass      string
	LBStrategy        string // hunt, proportional
	BestPath          string // one of the Best constants
	BestEffort        bool
	PathQualityFilter bool
	MaxLoss           float64       // percent
	MaxLatency        time.Duration // of the path
	MaxJitter         time.Duration
	MinMOS            float64 // 0: disabled
	Resiliency        Resiliency
	Enforcement       StateEnforcement
	Vectors           []Vector // list order
}

// Vector is one preference of a service-policy.
type Vector struct {
	Name  string
	Cost  int  // the number, or 1, 10, 100, … by place among the ordered ones; at most 999999
	Never bool // paths with this vector are not used
}

// DefaultServicePolicy is what a service without service-policy gets: every
// vector alike, the vendor's defaults.
func DefaultServicePolicy() ServicePolicy {
	return ServicePolicy{LBStrategy: "hunt", BestPath: BestVector, BestEffort: true, MaxLoss: 0.5,
		MaxLatency: 250 * time.Millisecond, MaxJitter: 100 * time.Millisecond,
		Resiliency: ResiliencyNone, Enforcement: EnforceReset}
}

// Scope is service > scope.
type Scope string

// Values of service > scope; private is the default.
const (
	ScopePublic  Scope = "public"
	ScopePrivate Scope = "private"
)

// Service is a destination: addresses and transports, and who may reach it.
type Service struct {
	Name               string
	Description        string
	Enabled            bool
	Scope              Scope
	Addresses          []netip.Prefix // masked; own ones only, parents are by name
	Transports         []Transport    // none: every protocol and port
	AccessPolicies     []AccessPolicy
	Security           string // name of a Security, may be empty
	ServicePolicy      string // name of a ServicePolicy, may be empty
	ShareServiceRoutes bool
	SourceNAT          string // network-interface (as the egress interface says), disabled
	AppliesTo          []AppliesTo
}

// AccessPolicy allows or denies one source.
type AccessPolicy struct {
	Source string       // as written
	Tenant string       // "" when the source is a bare prefix
	Prefix netip.Prefix // zero when the source is a bare tenant
	Deny   bool
}

// AppliesTo limits the routers that have the service; an empty list or type
// authority: all.
type AppliesTo struct {
	Type    string // authority, router, router-group
	Routers []string
	Groups  []string
}

// Router is one router of the authority.
type Router struct {
	Name              string
	Description       string
	Location          string
	Maintenance       bool // every alarm is shelved
	Groups            []string
	InterNodeSecurity string
	Resolvers         []netip.Addr // dns-config static; empty: as the networks say
	TimeServers       []string     // system > ntp: addresses and host names
	Peers             []Peer
	Nodes             []Node
	ServiceRoutes     []ServiceRoute
}

// Peer names a remote router for service-routes; a service-route may name a
// router of the authority without one.
type Peer struct {
	Name      string
	Authority string // "": ours
	Router    string
}

// ServiceRoute says where a service is reached from this router: at peers, or
// at next-hops of its own.
type ServiceRoute struct {
	Name     string
	Service  string
	Peers    []string // router names (resolved through Router.Peers), in order
	NextHops []NextHop
}

// NextHop is a local egress of a service-route.
type NextHop struct {
	Node      string
	Interface string     // network-interface
	Gateway   netip.Addr // invalid: the interface's own gateway, or on link
	Target    netip.Addr // destination NAT; invalid: none
}

// Node is one machine of a router.
type Node struct {
	Name        string
	Description string
	AssetID     string
	Role        string // combo, conductor
	Enabled     bool
	Devices     []DeviceInterface
}
