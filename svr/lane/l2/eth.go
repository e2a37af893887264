package l2

import "encoding/binary"

// MAC is an Ethernet address.
type MAC = [6]byte

// EtherTypes.
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeVLAN = 0x8100
	TypeIPv6 = 0x86dd
)

// Sizes of headers in bytes.
const (
	HeaderLen = 14
	TagLen    = 4
	MaxHeader = HeaderLen + TagLen
)

// Broadcast is the Ethernet broadcast address.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// PutHeader writes an Ethernet header, with an 802.1Q tag when vlan is not 0,
// to the start of b (at least MaxHeader bytes) and returns its length.
func PutHeader(b []byte, dst, src MAC, vlan, etherType uint16) int {
	_ = b[MaxHeader-1]
	copy(b[0:6], dst[:])
	copy(b[6:12], src[:])
	if vlan == 0 {
		binary.BigEndian.PutUint16(b[12:], etherType)
		return HeaderLen
	}
	binary.BigEndian.PutUint16(b[12:], TypeVLAN)
	binary.BigEndian.PutUint16(b[14:], vlan&0xfff)
	binary.BigEndian.PutUint16(b[16:], etherType)
	return MaxHeader
}

// MulticastMAC returns the Ethernet address of an IPv6 multicast address
// (RFC 2464 7).
func MulticastMAC(a [16]byte) MAC {
	return MAC{0x33, 0x33, a[12], a[13], a[14], a[15]}
}

// LinkLocal returns the link-local IPv6 address made from a MAC (RFC 4291
// appendix A).
func LinkLocal(m MAC) [16]byte {
	return [16]byte{0xfe, 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]}
}

// unicast tells whether a MAC can belong to one station.
func unicast(m MAC) bool { return m[0]&1 == 0 && m != MAC{} }
