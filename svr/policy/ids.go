package policy

// TenantID numbers the tenants of Tables.Tenants; the zero value is <global>.
type TenantID uint16

// ServiceID is an index into Tables.Services.
type ServiceID uint16

// PathID is an index into Tables.Paths.
type PathID uint16

// IfID is an index into Tables.Interfaces: the router's numbering of its
// network-interfaces, the same number that packet.Packet.If carries.
type IfID uint16

// PeerID is an index into Tables.Peers.
type PeerID uint16

// SecurityID is an index into Tables.Security. It is no wire value.
type SecurityID uint16

// The values that mean "none". Global is the tenant of everything that no
// other rule names.
const (
	Global     TenantID   = 0
	NoTenant   TenantID   = 0xffff
	NoService  ServiceID  = 0xffff
	NoPath     PathID     = 0xffff
	NoIf       IfID       = 0xffff
	NoPeer     PeerID     = 0xffff
	NoSecurity SecurityID = 0xffff
)

// GlobalName is how tenant Global is written in tables and policies.
const GlobalName = "<global>"

// maxIDs bounds every numbering: the last value means none.
const maxIDs = 0xffff

// Verdict is what the FIB says about a packet. The zero value forwards
// nothing.
type Verdict uint8

const (
	// NoRoute: no service matches, or the matching service has no
	// service-route on this router. The caller answers ICMP unreachable.
	NoRoute Verdict = iota
	// Prohibited: the destination lies inside a private-scope service and this
	// tenant has no entry of its own there. The caller answers ICMP
	// administratively prohibited.
	Prohibited
	// Deny: an access-policy denies by name. The caller drops silently.
	Deny
	// Routed: the service may be used; Choose says by which way.
	Routed
)

// String returns the name of v in lower case.
func (v Verdict) String() string {
	switch v {
	case NoRoute:
		return "no-route"
	case Prohibited:
		return "prohibited"
	case Deny:
		return "deny"
	case Routed:
		return "route"
	}
	return "unknown"
}
