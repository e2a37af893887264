// Package peer keeps the peer paths of a router: BFD between routers as wire
// profile 1 has it, with our message, digest and freshness around the machine
// of package bfd, the endpoints of each path, and the verdict that sessions
// follow: up, restarting, held down, down. Standard BFD neighbours live here
// too; they are no peers. It is pure: datagrams and clocks go in, datagrams and
// verdicts come out. A Set and all that is in it belong to one goroutine.
package peer
