package wire

import "strconv"

// Type is the number of a TLV.
type Type uint16

// The TLVs of profile 1. Numbers below 0x8000 are the vendor's
// (docs/wire.md lists section, length and use of each); 0x8001 and up are ours.
const (
	TypeFragment       Type = 1
	TypeForwardIPv4    Type = 2
	TypeForwardIPv6    Type = 3
	TypeReverseIPv4    Type = 4
	TypeReverseIPv6    Type = 5
	TypeUUID           Type = 6
	TypeTenant         Type = 7
	TypeInterfaceID    Type = 8
	TypeService        Type = 10
	TypeEncrypted      Type = 11
	TypeSYN            Type = 12
	TypeSessions       Type = 13
	TypeRouter         Type = 14
	TypePolicy         Type = 15
	TypeSecurityID     Type = 16
	TypeDestRouter     Type = 17
	TypeDisableForward Type = 18
	TypePathway        Type = 19
	TypeICMPIPv4       Type = 20
	TypeICMPIPv6       Type = 21
	TypeControl        Type = 24
	TypeSourceNAT      Type = 25
	TypeMetrics        Type = 26
	TypeModify         Type = 28
	TypeApplication    Type = 35
	TypeRemaining      Type = 42
	TypeHealthCheck    Type = 46 // header section, one byte
	TypeKey            Type = 46 // payload section, more than one byte
	TypeMulticast      Type = 50
	TypeEgress         Type = 51
	TypeChallenge      Type = 0x8001
	TypeBFDMessage     Type = 0x8002
	TypeBFDSteady      Type = 0x8003
)

// spec says how long the value of a TLV may be, and what logs call it.
type spec struct {
	name     string
	min, max uint16
}

// specs is indexed by a type's bit in a Set. Entry 46 is the payload form; the
// header form (one byte) is told apart by section and length.
var specs = [64]spec{
	TypeFragment:                 {"fragment", 10, 10},
	TypeForwardIPv4:              {"forward-context-ipv4", 13, 13},
	TypeForwardIPv6:              {"forward-context-ipv6", 37, 37},
	TypeReverseIPv4:              {"reverse-context-ipv4", 13, 13},
	TypeReverseIPv6:              {"reverse-context-ipv6", 37, 37},
	TypeUUID:                     {"session-uuid", 16, 16},
	TypeTenant:                   {"tenant", 0, MaxName},
	TypeInterfaceID:              {"global-interface-id", 4, 4},
	TypeService:                  {"service", 0, MaxName},
	TypeEncrypted:                {"session-encrypted", 0, 0},
	TypeSYN:                      {"tcp-syn", 0, 0},
	TypeSessions:                 {"sessions-in-service", 8, 8},
	TypeRouter:                   {"source-router", 0, MaxName},
	TypePolicy:                   {"security-policy", 0, MaxName},
	TypeSecurityID:               {"security-id", 4, 4},
	TypeDestRouter:               {"destination-router", 0, MaxName},
	TypeDisableForward:           {"disable-forward-metadata", 0, 0},
	TypePathway:                  {"peer-pathway", 0, MaxPathway},
	TypeICMPIPv4:                 {"icmp-location-ipv4", 4, 4},
	TypeICMPIPv6:                 {"icmp-location-ipv6", 16, 16},
	TypeControl:                  {"control", 1, 1},
	TypeSourceNAT:                {"source-nat-ipv4", 4, 4},
	TypeMetrics:                  {"path-metrics", 10, 10},
	TypeModify:                   {"modify-request", 2, MaxName},
	TypeApplication:              {"application", 0, MaxName},
	TypeRemaining:                {"remaining-time", 4, 4},
	TypeKey:                      {"key-or-health-check", 2, MaxKey},
	TypeMulticast:                {"multicast-context", 11, 35},
	TypeEgress:                   {"multicast-egress", 2, MaxEgress},
	TypeChallenge - ownTypeBase:  {"challenge", 8, 8},
	TypeBFDMessage - ownTypeBase: {"bfd-message", 0, MaxMessage},
	TypeBFDSteady - ownTypeBase:  {"bfd-steady", 12, 12},
}

// String names the type as logs and counters do; unknown types print as
// "type-N".
func (t Type) String() string {
	if i, ok := t.index(); ok {
		return specs[i].name
	}
	return "type-" + strconv.Itoa(int(t))
}

// Known reports whether profile 1 gives the type a meaning.
func (t Type) Known() bool {
	_, ok := t.index()
	return ok
}
