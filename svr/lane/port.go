package lane

import "net/netip"

// Offload is a set of transmit offloads.
type Offload uint8

const (
	OffloadTCP4 Offload = 1 << iota // TCP over IPv4 super-packets
	OffloadTCP6                     // TCP over IPv6 super-packets
	OffloadUDP                      // UDP super-packets (UDP_SEGMENT)
	OffloadCsum                     // checksum completion

	OffloadAll = OffloadTCP4 | OffloadTCP6 | OffloadUDP | OffloadCsum
)

// Interface is one network-interface on a port: a VLAN tag, or untagged.
type Interface struct {
	ID   uint16 // the router's number, never 0
	VLAN uint16 // 0: untagged
	// Addrs are the router's own addresses with their prefixes. The lane
	// answers ARP, neighbour discovery and echo for them on tagged interfaces;
	// on untagged ones the Linux kernel does.
	Addrs    []netip.Prefix
	MTU      int  // of the IP packet; 0: the port's
	Coalesce bool // merge small TCP segments sent here (LAN side, never a WAN)
}

// PortConfig says how to open a port.
type PortConfig struct {
	Name       string      // Linux interface in the current network namespace
	Interfaces []Interface // network-interfaces it carries
	RingBytes  int         // receive ring memory; 0: 1 MB
	QueueBytes int         // receive buffer for super-packets (kernel memory); 0: 4 MB
	Offloads   Offload     // 0: OffloadAll
}
