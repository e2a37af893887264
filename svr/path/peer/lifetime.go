package peer

import (
	"net/netip"

	"waymark/svr/wire"
)

// Questions and answers about the lifetime of a NAT's bindings (wire.md 9): in
// steady form, apart from BFD, by a source port of their own.

// maxReplies bounds the answers that a peer may have us hold back.
const maxReplies = 16

// reply is an answer that waits; at 0: none.
type reply struct {
	at    int64
	to    netip.AddrPort
	units uint16
}

// lifetime takes a question or an answer, which is authentic and fresh.
func (p *Path) lifetime(s *Set, d *Datagram, flags uint16, now int64) Drop {
	units := flags & wire.WaitMask
	p.authentic(now)
	p.heardAs(asProbe, d)
	switch {
	case flags&wire.FlagAnswer != 0:
		if d.Scratch != 0 && p.cfg.NAT != nil {
			p.cfg.NAT.Answered(d.Scratch, int64(units)*waitUnit)
		}
	case d.Scratch == 0:
		p.promise(reply{now + int64(units)*waitUnit, d.From, units})
	}
	p.work(s, now)
	return None
}

// promise keeps an answer until its time; without room it is not given.
func (p *Path) promise(r reply) {
	for i := range p.thrift.replies {
		if p.thrift.replies[i].at == 0 {
			p.thrift.replies[i] = r
			return
		}
	}
}

// reply gives the answers that are due.
func (p *Path) reply(s *Set, now int64) {
	for i := range p.thrift.replies {
		r := &p.thrift.replies[i]
		if r.at == 0 || now < r.at {
			continue
		}
		if p.in.knowsUs && p.usable(r.to) {
			p.sendFlagged(s, r.to, wire.FlagAnswer|r.units, 0, now)
		}
		*r = reply{}
	}
}

// replyAt is when an answer is due.
func (p *Path) replyAt() int64 {
	at := never
	for i := range p.thrift.replies {
		if r := &p.thrift.replies[i]; r.at != 0 {
			at = min(at, r.at)
		}
	}
	return at
}

// learn lets the learner of the interface have its way, if this path is the one
// that works for it: the first that is up.
func (p *Path) learn(s *Set, now int64) {
	nat := p.cfg.NAT
	if nat == nil {
		return
	}
	to, ok := p.ends.Best()
	if !ok || !p.thrift.active || !p.usable(to) || p.hold.verdict != Up {
		if s.probing[nat] == p {
			nat.Stop(now)
			p.close(s, now)
			delete(s.probing, nat)
		}
		p.thrift.leads = false
		return
	}
	if s.probing[nat] == nil {
		s.probing[nat] = p
	}
	p.thrift.leads = s.probing[nat] == p
	if !p.thrift.leads {
		return
	}
	for st, ok := nat.Due(now, p.wall(now)/1000); ok; st, ok = nat.Due(now, p.wall(now)/1000) {
		if st.Ask {
			p.sendFlagged(s, to, wire.FlagLifetime|uint16(st.Delay/waitUnit), st.Port, now)
		} else {
			p.release(s, st.Port)
		}
	}
}

// close closes the ports of a look that has been stopped.
func (p *Path) close(s *Set, now int64) {
	for st, ok := p.cfg.NAT.Due(now, 0); ok && !st.Ask; st, ok = p.cfg.NAT.Due(now, 0) {
		p.release(s, st.Port)
	}
}

// release says that a port is done with.
func (p *Path) release(s *Set, port uint8) {
	s.sending = Sending{If: p.cfg.If, Local: p.local, Scratch: port}
	s.cfg.Out.Transmit(&s.sending)
}

// sendFlagged sends a question or an answer; scratch 0: from our port.
func (p *Path) sendFlagged(s *Set, to netip.AddrPort, flags uint16, scratch uint8, now int64) {
	pkt := p.m.Packet()
	pkt.Poll, pkt.Final = false, false
	p.thrift.as = asProbe
	p.leave(s, p.signSteady(s, &pkt, flags, now), to, scratch, now)
	p.thrift.as = asBFD
}

// heardAs counts what came.
func (p *Path) heardAs(c channel, d *Datagram) {
	p.thrift.counts[c].Add(len(d.Data) + int(ipBytes(d.From)))
}

// rebound: the peer sees us elsewhere than before, although we are where we
// were: a NAT lost our binding.
func (p *Path) rebound(before netip.AddrPort, now int64) {
	if p.cfg.NAT != nil && before.IsValid() && before != p.natAddr && p.thrift.local == p.local {
		p.cfg.NAT.Lost(now)
	}
	p.thrift.local = p.local
}
