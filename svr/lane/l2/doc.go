// Package l2 is the part of a host's IP stack that a VLAN tag without a kernel
// device needs: Ethernet and 802.1Q headers, ARP (RFC 826, 5227), neighbour
// discovery (RFC 4861) and echo replies. It is pure: frames in, frames out,
// time passed in.
package l2
