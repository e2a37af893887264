package policy

import (
	"net/netip"
	"time"

	"waymark/mgmt/config"
)

// Tables is one router node's compiled view of an authority. It is immutable:
// every method may be called from any goroutine.
type Tables struct {
	RouterName, NodeName string

	Resolvers   []netip.Addr // of the box, configured; empty: as the networks say
	TimeServers []string     // of the box, configured: addresses and host names
	// Inactivity: sessions without answers for so long ask their peer; 0: packets
	// of unknown flows are answered instead.
	Inactivity  time.Duration
	Maintenance bool // every alarm is shelved
	Shelves     []config.Shelf

	Interfaces   []Interface      // index = IfID
	Tenants      []Tenant         // index = TenantID; [0] is <global>
	Services     []Service        // index = ServiceID; those that apply to this router
	Paths        []Path           // index = PathID
	Peers        []Peer           // index = PeerID
	Security     []SecurityPolicy // index = SecurityID
	SLAs         []*ServicePolicy // index = ServicePolicy.SLA: those with path-quality-filter
	SessionTypes []SessionType

	tenantByName  map[string]TenantID
	serviceByName map[string]ServiceID
	peerByName    map[string]PeerID
	sources       sourceTable
	fib           fib
	timeouts      timeoutTable
	members       []MemberRow
}

// Interface is a network-interface of this node.
type Interface struct {
	ID       IfID
	Device   string // name of the device-interface
	Name     string // name of the network-interface
	Type     string // of the device-interface: config.DeviceEthernet, config.DeviceLTE, pppoe
	Target   string // Linux interface below it: target-interface, or with PPPoE the session's
	GlobalID uint32
	VLAN     uint16 // 0 = untagged
	MTU      int    // bytes of IP packet

	Addresses []Address // configured ones; empty with DHCP unless both are
	DHCP      bool      // addresses come from the network, or are those on the Linux interface

	PPPoE *config.PPPoE // the address is a session's; nil: it is not
	Line  Line          // with PPPoE: what the session runs on

	Tenant     TenantID // tenant of the whole interface, NoTenant without one
	SourceNAT  bool
	RecvPolicy SecurityID // inter-router-security: how received metadata is read
	Metered    bool       // billing-type metered
	DropICMP   bool       // icmp drop: own addresses answer no echo

	EnforcedMSS MSSMode
	MSS         uint16   // bytes, with MSSFixed
	Vectors     []string // vectors of its neighborhoods, for local next-hops

	Enabled bool // administratively: device-interface enabled and forwarding

	// Config is the element itself, for what the fields above do not repeat:
	// static neighbours, preserve-dscp. Read only.
	Config *config.NetworkInterface
}

// Line is what a PPPoE session runs on.
type Line struct {
	Name string // of the Linux interface: Port, with a tag a VLAN device on it
	Port string // target-interface
	Tag  uint16 // 0 = untagged
}

// Tag is the VLAN tag of the interface's frames on its port, 0 = none: that of a
// PPPoE session is its line's, below the interface that VLAN is about.
func (f *Interface) Tag() uint16 {
	if f.PPPoE != nil {
		return f.Line.Tag
	}
	return f.VLAN
}

// Tagged is the name of the interface's frames: that of its port, and the tag if
// there is one (wan0, wan0.35). Files are named so.
func (f *Interface) Tagged() string {
	if f.VLAN == 0 {
		return f.Target
	}
	return config.TaggedLine(f.Target, int(f.VLAN))
}

// Address is one address of a network-interface.
type Address struct {
	Prefix   netip.Prefix // host address with its prefix length
	Gateway  netip.Addr   // zero without one
	Waypoint bool         // may be a waypoint (valid-waypoint)
}

// MSSMode says how the MSS of TCP SYNs is limited, beyond what the room rule
// of the wire demands anyway.
type MSSMode uint8

// The values of enforced-mss.
const (
	MSSDisabled MSSMode = iota
	MSSAutomatic
	MSSFixed
)

// Tenant is one tenant of the authority.
type Tenant struct {
	ID       TenantID
	Name     string
	Parent   TenantID // by dotted name child.parent; Global without one
	Security SecurityID
}

// SecurityPolicy is one security element as configured: names and material,
// not yet usable keys.
type SecurityPolicy struct {
	ID SecurityID
	config.Security
}

// SessionType gives the timers of sessions of some protocols and ports.
type SessionType struct {
	Name         string
	ServiceClass string
	Idle         time.Duration
	Initial      time.Duration // until established
	NATKeepAlive bool
	Transport    []Transport
}

// Transport names a protocol and, if any, its destination ports.
type Transport struct {
	Proto uint8 // IANA number; 0 = any
	Ports []PortRange
}

// PortRange is inclusive at both ends.
type PortRange struct{ First, Last uint16 }
