// Package dhcpd gives the hosts of a LAN their IPv4 addresses: the server of RFC
// 2131.
//
// Server is pure: frames and a monotonic clock go in, frames come out, so that
// every message in every state is a row of a table. Daemon is the shell around
// it: packet sockets that see DHCP and ARP only, and a file that keeps the leases
// over a restart. Answers are frames too, so that hosts without an address and
// hosts on a VLAN that the kernel does not know get theirs.
//
// An address that nobody had is probed (RFC 5227) before it is offered; whoever
// answers keeps it, and it rests. Everything that strangers can fill is bounded:
// bindings by the pools, probes by a fixed number; what is beyond is dropped and
// counted, and clients ask again. A host whose lease we forgot may go on with it
// when nobody else has it. A relay's option 82 goes back as it came (RFC 3046).
package dhcpd
