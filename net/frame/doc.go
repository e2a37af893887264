// Package frame makes and reads the Ethernet frames of DHCP and ARP, and opens
// packet sockets for them: what a host must say and hear before there is an
// address, or on a VLAN that the kernel has no device for.
package frame
