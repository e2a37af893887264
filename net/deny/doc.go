// Package deny is the box's default: nothing from outside reaches the box itself,
// in either family, and the kernel forwards nothing. init applies it before any
// interface comes up; it stays, whoever lives or dies.
//
// What may come in is opened by name: each owner (the router, a DHCP server, …)
// has one list of openings and replaces it as a whole. Answers to what the box
// asked, loopback, and neighbour discovery pass always. DHCP clients and ARP do
// not depend on it: they hear frames.
//
// Without the table, as in a namespace of the lab, opening is nothing to do.
package deny
