package dhcp4

import (
	"encoding/binary"
	"net/netip"
)

const arpLen = 28

// arp is an ARP packet for IPv4 on Ethernet. Probes have sender 0.0.0.0.
type arp struct {
	mac            [6]byte // of the sender
	sender, target netip.Addr
}

// probe asks who has an address, without claiming it (RFC 5227 2.1.1).
func probe(mac [6]byte, a netip.Addr) []byte { return arpFrame(mac, netip.IPv4Unspecified(), a) }

// announce claims an address (RFC 5227 2.3).
func announce(mac [6]byte, a netip.Addr) []byte { return arpFrame(mac, a, a) }

func arpFrame(mac [6]byte, sender, target netip.Addr) []byte {
	b := ether(mac, broadcastMAC, etherARP, arpLen)
	p := b[etherLen:]
	copy(p, []byte{0, 1, etherIPv4 >> 8, 0, 6, 4, 0, 1})
	copy(p[8:], mac[:])
	copy(p[14:], sender.AsSlice())
	copy(p[24:], target.AsSlice())
	return b
}

// parseARP reads a frame of EtherType ARP.
func parseARP(frame []byte) (a arp, ok bool) {
	if len(frame) < etherLen+arpLen {
		return a, false
	}
	p := frame[etherLen:]
	if binary.BigEndian.Uint16(p) != 1 || binary.BigEndian.Uint16(p[2:]) != etherIPv4 || p[4] != 6 || p[5] != 4 {
		return a, false
	}
	copy(a.mac[:], p[8:])
	a.sender, a.target = netip.AddrFrom4([4]byte(p[14:])), netip.AddrFrom4([4]byte(p[24:]))
	return a, true
}

// claims tells whether another station has, or wants (probing), an address. A
// probe counts only while we probe ourselves.
func (a arp) claims(addr netip.Addr, ours [6]byte, probing bool) bool {
	if a.mac == ours {
		return false
	}
	return a.sender == addr || probing && a.sender.IsUnspecified() && a.target == addr
}
