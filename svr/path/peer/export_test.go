package peer

import (
	"net/netip"

	"waymark/svr/path/bfd"
	"waymark/svr/path/demand"
	"waymark/svr/path/endpoint"
)

// Believed is all that packets may change of a path; two are equal or not.
type Believed struct {
	m    bfd.Machine
	in   belief
	hold hold
	ends endpoint.Table
	rtt  rtt
	nat  netip.AddrPort
	off  clockOffset
	// of the profile of metered links
	watch   demand.Watch
	replies [maxReplies]reply
}

// Believed returns a copy of what the path believes.
func (p *Path) Believed() Believed {
	return Believed{*p.m, p.in, p.hold, *p.ends, p.rtt, p.natAddr, p.clocks, p.thrift.watch, p.thrift.replies}
}

// Full makes the next packet leave in full form.
func (p *Path) Full() { p.out.full = 1 }

// Wake does what is due.
func (p *Path) Wake(s *Set, now int64) { p.work(s, now) }
