package frame

import (
	"encoding/binary"
	"net/netip"
)

const arpLen = 28

// ARP is an ARP packet for IPv4 on Ethernet. Probes have sender 0.0.0.0.
type ARP struct {
	MAC            MAC // of the sender
	Sender, Target netip.Addr
}

// Probe asks who has an address, without claiming it (RFC 5227 2.1.1).
func Probe(mac MAC, a netip.Addr) []byte { return Ask(mac, netip.IPv4Unspecified(), a) }

// Announce claims an address (RFC 5227 2.3).
func Announce(mac MAC, a netip.Addr) []byte { return Ask(mac, a, a) }

// Ask is an ARP request to all stations.
func Ask(mac MAC, sender, target netip.Addr) []byte {
	b := ether(mac, Broadcast, TypeARP, arpLen)
	p := b[EtherLen:]
	copy(p, []byte{0, 1, TypeIPv4 >> 8, 0, 6, 4, 0, 1})
	copy(p[8:], mac[:])
	copy(p[14:], sender.AsSlice())
	copy(p[24:], target.AsSlice())
	return b
}

// ReadARP reads a frame of EtherType ARP.
func ReadARP(frame []byte) (a ARP, ok bool) {
	if len(frame) < EtherLen+arpLen {
		return a, false
	}
	p := frame[EtherLen:]
	if binary.BigEndian.Uint16(p) != 1 || binary.BigEndian.Uint16(p[2:]) != TypeIPv4 || p[4] != 6 || p[5] != 4 {
		return a, false
	}
	a.MAC = MAC(p[8:14])
	a.Sender, a.Target = netip.AddrFrom4([4]byte(p[14:])), netip.AddrFrom4([4]byte(p[24:]))
	return a, true
}
