package peer

import "net/netip"

// rtt is the round trip of a path, from echoes.
type rtt struct{ last, smooth, variance, least int64 }

// sample takes one (RFC 6298).
func (r *rtt) sample(n int64) {
	r.last = n
	if r.smooth == 0 {
		r.smooth, r.variance, r.least = n, n/2, n
		return
	}
	d := r.smooth - n
	r.variance += (max(d, -d) - r.variance) / 4
	r.smooth += (n - r.smooth) / 8
	r.least = min(r.least, n)
}

// clockOffset is how far the peer's wall clock is ahead of ours: the best of
// the last eight samples, that with the shortest round trip.
type clockOffset struct {
	samples [8]struct{ rtt, offset int64 } // ns, ms
	next    int
	offset  int64
	known   bool
}

// clockMost is the longest round trip that a clock is learned from.
const clockMost = second

// clockSample uses the wall clocks of the message at hand, if it had one.
func (p *Path) clockSample(rtt int64) {
	theirs := p.theirUnix
	p.theirUnix = 0
	if theirs == 0 || rtt > clockMost {
		return
	}
	c := &p.clocks
	c.samples[c.next].rtt, c.samples[c.next].offset = rtt, theirs-(p.ourWall-rtt/2e6)
	c.next = (c.next + 1) % len(c.samples)
	best := int64(clockMost + 1)
	for i := range c.samples {
		if x := &c.samples[i]; x.rtt > 0 && x.rtt < best {
			best, c.offset, c.known = x.rtt, x.offset, true
		}
	}
}

// seenAs notes where the peer sees us.
func (p *Path) seenAs(a netip.AddrPort) {
	if a == p.natAddr {
		return
	}
	if p.natAddr.IsValid() {
		p.natChanges++
	}
	p.natAddr = a
}
