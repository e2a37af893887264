package config

import (
	"net/netip"
	"time"
)

// DeviceInterface is one Linux interface and the network-interfaces (VLANs) on
// it.
type DeviceInterface struct {
	Name        string
	Description string
	Type        string // DeviceEthernet, DeviceLTE, pppoe
	Target      string // Linux interface name; with pppoe: of the line
	PPPoE       *PPPoE // with type pppoe
	Enabled     bool
	Forwarding  bool
	Interfaces  []NetworkInterface
}

// Values of device-interface > type that are built. An LTE stick in Ethernet mode
// is an ordinary port whose interfaces are metered unless billing-type says
// otherwise.
const (
	DeviceEthernet = "ethernet"
	DeviceLTE      = "lte"
)

// billingMetered is the value of billing-type that counts bytes.
const billingMetered = "metered"

// DHCPMode is network-interface > dhcp.
type DHCPMode string

// Values of network-interface > dhcp that are built.
const (
	DHCPDisabled DHCPMode = "disabled"
	DHCPv4       DHCPMode = "v4"
)

// MSSMode is network-interface > enforced-mss.
type MSSMode struct {
	Automatic bool
	Max       uint16 // 0: no fixed limit
}

// NetworkInterface is one VLAN of a device-interface. Its name is unique in
// the node.
type NetworkInterface struct {
	Name                string
	Description         string
	GlobalID            uint32
	VLAN                uint16 // 0: untagged
	Type                string // external, fabric, shared
	Tenant              string // tenant of everything that arrives, may be empty
	TenantPrefixes      []TenantPrefix
	DHCP                DHCPMode
	DHCPClient          DHCPClient
	HostServices        []HostService
	PPPoE               bool   // the device-interface is of type pppoe
	Hostname            string // FQDN under which peers find a dynamic address
	DefaultRoute        bool
	Management          bool
	SourceNAT           bool
	MTU                 int
	EnforcedMSS         MSSMode
	ICMPDrop            bool   // icmp drop: the interface answers no echo
	InterRouterSecurity string // decrypt policy, and the peers' send policy
	BillingType         string // none, flat, metered
	DataQuota           int    // MB of a month, 0: no limit
	QuotaDay            int    // day of the month on which it begins anew
	PreserveDSCP        bool
	Addresses           []Address
	Neighbors           []Neighbor
	BFDNeighbors        []BFDNeighbor
	Neighborhoods       []Neighborhood
	Adjacencies         []WrittenAdjacency
}

// Dynamic tells whether the interface's IPv4 address comes from the network.
func (n *NetworkInterface) Dynamic() bool { return n.DHCP == DHCPv4 || n.PPPoE }

// Metered tells whether bytes on this interface cost money.
func (n *NetworkInterface) Metered() bool { return n.BillingType == billingMetered }

// Address is one address of a network-interface.
type Address struct {
	IP            netip.Addr
	PrefixLength  int
	Gateway       netip.Addr // invalid: none
	ValidWaypoint bool       // default true
}

// Prefix returns the address with its prefix length, host bits kept.
func (a Address) Prefix() netip.Prefix { return netip.PrefixFrom(a.IP, a.PrefixLength) }

// Neighbor is a static ARP or ND entry.
type Neighbor struct {
	IP  netip.Addr
	MAC [6]byte
}

// TenantPrefix gives the sources of one interface a tenant.
type TenantPrefix struct {
	Tenant    string
	Addresses []netip.Prefix // masked
}

// Topology is neighborhood > topology.
type Topology string

// Values of neighborhood > topology; spoke is the default.
const (
	TopologyMesh  Topology = "mesh"
	TopologyHub   Topology = "hub"
	TopologySpoke Topology = "spoke"
)

// Peers tells whether interfaces of these topologies become peers: mesh with
// any, hub with spoke.
func (t Topology) Peers(o Topology) bool {
	return t == TopologyMesh || o == TopologyMesh || t != o
}

// Neighborhood is a network that peers may share; its leaves shape both the
// adjacencies we generate and those that others generate towards us.
type Neighborhood struct {
	Name     string
	Topology Topology
	PathLeaves
}

// WrittenAdjacency is an adjacency in the configuration; the leaves in Written
// win over the generated ones of the same peer and address.
type WrittenAdjacency struct {
	Address  netip.Addr // invalid when Hostname is used
	Hostname string
	Peer     string // router name
	Cost     uint32
	Security string // send policy, "" when not written
	PathLeaves
}

// Connectivity is peer-connectivity.
type Connectivity string

// Values of peer-connectivity.
const (
	Bidirectional Connectivity = "bidirectional"
	OutboundOnly  Connectivity = "outbound-only"
)

// PathLeaves are the leaves that a neighborhood and an adjacency share.
type PathLeaves struct {
	Vectors               []string
	Connectivity          Connectivity
	ExternalNAT           netip.Addr // invalid: none, or ExternalNATName
	ExternalNATName       string     // FQDN form of external-nat-address
	PortRanges            []PortRange
	MaxWayPoints          int
	BFD                   BFD
	UDPTransform          UDPTransform
	NATKeepAlive          NATKeepAlive
	PathMTU               PathMTU
	TTLPadding            TTLPadding
	EncapsulateICMPErrors bool
	EncryptionOverride    bool // payload-encryption-override enable-encryption
	PostEncryptionPadding bool
	Written               map[string]bool // leaves present in the file, by path: "bfd.multiplier"
}

// BFD holds the bfd leaves of a path.
type BFD struct {
	Enabled            bool
	AuthenticationType string // simple, sha256
	DesiredTx          time.Duration
	RequiredMinRx      time.Duration
	Multiplier         int
	LinkTestInterval   time.Duration
	LinkTestLength     int // packets, 0: off
	DSCP               uint8
	HoldDown           time.Duration
	DynamicDamping     bool
	MaximumHoldDown    time.Duration
}

// UDPTransform holds the udp-transform leaves of a path.
type UDPTransform struct {
	Always              bool // always-transform, else auto-detect
	DetectInterval      time.Duration
	NATKeepAlive        bool
	NATKeepAliveTimeout time.Duration
}

// NATKeepAlive holds the nat-keep-alive leaves of a path.
type NATKeepAlive struct {
	Auto        bool
	TCPInterval time.Duration
	UDPInterval time.Duration
}

// PathMTU holds the path-mtu-discovery leaves of a path.
type PathMTU struct {
	Enabled  bool
	Interval time.Duration
}

// TTLPadding is ttl-padding; the zero value is disabled.
type TTLPadding struct {
	Auto bool
	TTL  uint8 // 0: none
}

// Origin says where a leaf of an adjacency comes from.
type Origin string

// Origins of a leaf: our own neighborhood, the peer's, or a written adjacency.
const (
	OriginOwn     Origin = "own"
	OriginPeer    Origin = "peer"
	OriginWritten Origin = "written"
)

// ReasonNoAddress is the Reason of an adjacency whose peer address is learned
// by DHCP and has no hostname.
const ReasonNoAddress = "no-address"

// Adjacency is one peer path as configured: a local network-interface towards
// one waypoint of a peer. It is generated from neighborhoods, written, or both.
type Adjacency struct {
	Neighborhood string // "" when only written
	Generated    bool   // false: only written

	LocalDevice    string
	LocalInterface string      // network-interface
	LocalAddress   netip.Addr  // our waypoint, of PeerAddress's family; invalid: by DHCP
	OwnPortRanges  []PortRange // where peers reach us, from our neighborhood; none: default range

	PeerRouter    string
	PeerNode      string     // "" when only written
	PeerDevice    string     // "" when only written
	PeerInterface string     // "" when only written
	PeerAddress   netip.Addr // waypoint or external-nat-address; invalid: see PeerHostname, Reason
	PeerHostname  string
	Reason        string // why PeerAddress is unknown: ReasonNoAddress or ""

	Cost          uint32
	SendPolicy    string // name of the Security we send with
	ReceivePolicy string // name of the Security of our own interface

	// PathLeaves as they hold for this path. PortRanges: where the peer is
	// reachable (none: default range). Connectivity: the peer's.
	PathLeaves
	OwnConnectivity Connectivity // of our neighborhood

	// Origins names each leaf's origin by the vendor's leaf path, such as
	// "port-range" or "bfd.multiplier".
	Origins map[string]Origin
}
