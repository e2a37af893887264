package peer

import (
	"net/netip"

	"waymark/svr/path/mtu"
	"waymark/svr/wire"
)

// upState is BFD's state in which a path is probed.
const upState = wire.BFDUp

// Patience for the answer to a probe.
const (
	leastPatience = second / 10
	mostPatience  = second
	firstPatience = second / 2 // no round trip is known
)

// mtuState is the search for what passes, and what it needs.
type mtuState struct {
	mtu.Machine
	device int  // what the device takes, at most what a Set reads
	known  bool // the path was up on this device and endpoint
}

// SetMTU tells how long an IP packet the device of a path takes, in bytes; 0:
// not known.
func (s *Set) SetMTU(id uint16, bytes int, now int64) {
	p := s.Path(id)
	if p == nil || p.mtu.device == min(bytes, MaxDatagram) {
		return
	}
	p.mtu.device, p.mtu.known = min(bytes, MaxDatagram), false
	if p.probing() {
		p.beginMTU(now)
	}
	p.work(s, now)
}

// Suspect tells that big packets of sessions seem to vanish on a path.
func (s *Set) Suspect(id uint16, now int64) {
	if p := s.Path(id); p != nil {
		p.mtu.Suspect(now)
		p.work(s, now)
	}
}

// TooBig tells of an ICMP error: only so many bytes fit on a path, says somebody.
func (s *Set) TooBig(id uint16, bytes int, now int64) {
	if p := s.Path(id); p != nil {
		p.mtu.TooBig(bytes, now)
		p.work(s, now)
	}
}

// Carried notes that sessions sent on a path.
func (s *Set) Carried(id uint16, now int64) {
	if p := s.Path(id); p != nil {
		p.mtu.Busy()
		if p.cfg.Test.Wanted {
			s.Measure(id, now)
		}
	}
}

// MTU returns how long an IP packet may be on the path, 0 while only its device
// limits it.
func (p *Path) MTU() int { return p.mtu.MTU() }

// Patience returns how long an answer on the path may take, in ns.
func (p *Path) Patience() int64 {
	if p.rtt.smooth == 0 {
		return firstPatience
	}
	return min(max(p.rtt.smooth+4*p.rtt.variance+leastPatience/4, leastPatience), mostPatience)
}

// beginMTU starts the search on a path that came up: anew where the device or
// the peer's endpoint is another one, else from what it found before.
func (p *Path) beginMTU(now int64) {
	if p.mtu.known {
		p.mtu.Again(now)
		return
	}
	p.mtu.known = p.mtu.device > 0
	p.mtu.Start(p.mtu.device, now)
}

// probing says whether probes can be answered: BFD is up, whatever the verdict.
func (p *Path) probing() bool {
	to, ok := p.ends.Best()
	return ok && p.usable(to) && p.in.knowsUs && p.m.State() == upState
}

// probeMTU sends the probes that are due.
func (p *Path) probeMTU(s *Set, now int64) {
	if !p.probing() {
		return
	}
	to, _ := p.ends.Best()
	for {
		bytes, ok := p.mtu.Due(p.Patience(), now)
		if !ok {
			return
		}
		p.sendProbe(s, bytes, to, now)
	}
}

// sendProbe sends a poll that is so many bytes of IP packet long and must not
// be fragmented.
func (p *Path) sendProbe(s *Set, bytes int, to netip.AddrPort, now int64) {
	pkt := p.m.Packet()
	pkt.Poll, pkt.Final = true, false
	b := p.steady(s, &pkt, p.flags(s, now), now)
	if n := bytes - int(ipBytes(to)) - wire.BFDDigest - len(b); n > 0 && len(b)+n+wire.BFDDigest <= cap(s.out) {
		b = b[:len(b)+n]
		clear(b[len(b)-n:])
	}
	p.fragile = true
	p.leave(s, p.cfg.Send.sign(b, &p.out.epoch, &p.in.epoch), to, 0, now)
	p.fragile = false
	p.out.ring.newest().probe = bytes
}
