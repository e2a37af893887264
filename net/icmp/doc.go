// Package icmp asks hosts and the routers on the way to them by ICMP echo
// (RFC 792, RFC 4443): ping and traceroute without programs of the system.
package icmp
