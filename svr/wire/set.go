package wire

import (
	"math/bits"
	"strings"
)

// Set tells which TLVs are present: one bit for each type of profile 1, none
// for unknown types. The zero Set is empty.
type Set uint64

const (
	ownTypeBase = 0x7fc4 // 0x8001..0x8003 sit at bits 61..63
	firstOwn    = uint(TypeChallenge - ownTypeBase)
)

// Bit 61 is the first of our own types and 51 the last of the vendor's; these
// do not compile if a number moves into the other's range.
const (
	_ = uint(TypeBFDSteady - ownTypeBase - 63)
	_ = uint(63 - (TypeBFDSteady - ownTypeBase))
	_ = firstOwn - uint(TypeEgress) - 1
)

const vendorTypes Set = 1<<TypeFragment | 1<<TypeForwardIPv4 | 1<<TypeForwardIPv6 |
	1<<TypeReverseIPv4 | 1<<TypeReverseIPv6 | 1<<TypeUUID | 1<<TypeTenant |
	1<<TypeInterfaceID | 1<<TypeService | 1<<TypeEncrypted | 1<<TypeSYN |
	1<<TypeSessions | 1<<TypeRouter | 1<<TypePolicy | 1<<TypeSecurityID |
	1<<TypeDestRouter | 1<<TypeDisableForward | 1<<TypePathway | 1<<TypeICMPIPv4 |
	1<<TypeICMPIPv6 | 1<<TypeControl | 1<<TypeSourceNAT | 1<<TypeMetrics |
	1<<TypeModify | 1<<TypeApplication | 1<<TypeRemaining | 1<<TypeKey |
	1<<TypeMulticast | 1<<TypeEgress

// The two sections. Type 46 is in both: its length tells which form it is.
const (
	headerTypes Set = 1<<TypeFragment | 1<<TypeSecurityID | 1<<TypeDisableForward |
		1<<TypeICMPIPv4 | 1<<TypeICMPIPv6 | 1<<TypeControl | 1<<TypeMetrics |
		1<<TypeHealthCheck | 1<<(TypeBFDSteady-ownTypeBase)
	payloadTypes Set = (vendorTypes | 1<<(TypeChallenge-ownTypeBase) |
		1<<(TypeBFDMessage-ownTypeBase)) &^ (headerTypes &^ (1 << TypeKey))
	contextTypes Set = 1<<TypeForwardIPv4 | 1<<TypeForwardIPv6 |
		1<<TypeReverseIPv4 | 1<<TypeReverseIPv6
)

// index returns the type's bit number in a Set.
func (t Type) index() (uint, bool) {
	if t <= TypeEgress {
		return uint(t), vendorTypes>>t&1 != 0
	}
	i := uint(t) - ownTypeBase
	return i & 63, t >= TypeChallenge && t <= TypeBFDSteady
}

// SetOf returns the set of the given types; unknown ones are left out.
func SetOf(types ...Type) Set {
	var s Set
	for _, t := range types {
		s.Add(t)
	}
	return s
}

// Has reports whether t is in the set.
func (s Set) Has(t Type) bool {
	i, ok := t.index()
	return ok && s>>i&1 != 0
}

// Add puts t into the set; an unknown type changes nothing.
func (s *Set) Add(t Type) {
	if i, ok := t.index(); ok {
		*s |= 1 << i
	}
}

// Remove takes t out of the set.
func (s *Set) Remove(t Type) {
	if i, ok := t.index(); ok {
		*s &^= 1 << i
	}
}

// Len returns how many types are in the set.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// String lists the names of the types, separated by blanks.
func (s Set) String() string {
	var names []string
	for i := range specs {
		if s>>i&1 != 0 {
			names = append(names, specs[i].name)
		}
	}
	return strings.Join(names, " ")
}
