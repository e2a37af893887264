package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// fromHost forwards a packet that arrived on native leg d.
func (e *Engine) fromHost(p *packet.Packet, i uint32, d int) {
	if p.TTL() <= 1 {
		e.replyError(p, packet.ErrTTL, 0)
		e.stats.Add(DropTTL, 1)
		return
	}
	e.observe(p, i, d)
	if e.recs[i].leg[1-d].kind() == kindSVR {
		e.toPeer(p, i, d)
		return
	}
	e.toNative(p, i, d)
}

// observe notes that a packet in its inner form arrived on leg d.
func (e *Engine) observe(p *packet.Packet, i uint32, d int) {
	r := &e.recs[i]
	r.active = stampOf(e.now)
	r.put(recHeard<<d, true)
	if !r.is(recAnswered) && r.heard(1-d) {
		r.put(recAnswered, true)
		e.unlinkUnanswered(i)
		e.settle(i)
	}
	if p.Kind == packet.KindEcho {
		r.tcp.end[d] = echoSeq(p)
	}
	if p.Kind != packet.KindTCP {
		return
	}
	if p.TCPFlags&(flagSYN|flagRST) != 0 {
		e.refresh(r)
	}
	closed := r.tcp.closedBothWays()
	overhead := 0
	if r.leg[d].kind() == kindSVR && !e.ends(r, 1-d) && e.encrypted(r) {
		overhead = e.payload(r).Overhead()
	}
	r.tcp.observeSealed(p, d, overhead)
	e.turned(i, closed)
}

// settle decides whether session i may go the short way from now on: both
// directions, or the forward one of a flow that nobody answered yet.
func (e *Engine) settle(i uint32) {
	r := &e.recs[i]
	done := !e.protected(r)
	for l := range r.leg {
		g := &r.leg[l]
		if g.kind() != kindSVR || r.slot[l] == none {
			continue
		}
		if g.signal() || g.due != 0 || e.pads(g.path) || e.table.Proto(r.slot[l]) != r.proto {
			done = false
		}
	}
	s := shortNone
	switch {
	case done && r.is(recAnswered):
		s = shortBoth
	case done && r.proto == packet.ProtoUDP:
		s = shortForward
	}
	e.setSimple(r, s)
}

// protected says whether established packets of r carry a digest or ciphertext
// on their way between routers.
func (e *Engine) protected(r *record) bool {
	if !r.is(recProtected) {
		return false
	}
	pol := e.payload(r)
	return pol.Encrypts() || pol.DigestSize() > 0
}

// toNative sends a packet in its inner form out on a native leg.
func (e *Engine) toNative(p *packet.Packet, i uint32, d int) {
	r := &e.recs[i]
	a := e.table.Action(r.slot[d])
	if f := &e.ifs[r.leg[1-d].ifc]; f.mss > 0 && p.Kind == packet.KindTCP {
		p.ClampMSS(uint16(f.mss))
	}
	if mtu := e.mtuOf(r, d, &a); !fits(p, &a.To, mtu) {
		e.tooLongNative(p, i, d, &a, mtu)
		return
	}
	e.emit(p, r.slot[d], &a, r.leg[1-d].ifc)
}

// emit gives p its new addresses and sends it on ifc: the last step of every way.
func (e *Engine) emit(p *packet.Packet, slot uint32, a *pool.Action, ifc uint16) {
	n, packets := p.Len(), segments(p)
	if p.T != a.To && !p.Readdress(a.To) {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	p.DecTTL()
	e.table.Count(slot, uint64(packets), uint64(n), e.now)
	e.stats.Add(Forwarded, uint64(packets))
	e.out.Send(p, ifc, a.Hop)
}

// tooLongNative cuts to mtu, or tells the sender that it must.
func (e *Engine) tooLongNative(p *packet.Packet, i uint32, d int, a *pool.Action, mtu int) {
	whole := e.largest == 0 && (p.DF() || p.V6())
	if whole || p.GSO != packet.GSONone {
		e.refuseSize(p, i, d, mtu)
		return
	}
	if !p.Readdress(a.To) {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	p.DecTTL()
	p.CompleteCsum()
	if e.largest > 0 {
		// Its sender cut it, so it may be cut again, as small as it was.
		mtu = min(mtu, e.leastMTU(p.T.Family, int(e.largest)))
		if !p.V6() {
			p.SetDF(false)
		}
	}
	r := &e.recs[i]
	e.table.Count(r.slot[d], 1, uint64(p.Len()), e.now)
	if !e.pieces.Init(p, mtu) {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	for {
		b := e.out.Buffer(false)
		if b == nil {
			e.stats.Add(DropBuffer, 1)
			return
		}
		if !e.pieces.Next(b) {
			return
		}
		b.T = a.To // of the same flow, to the lane
		e.out.Send(b, r.leg[1-d].ifc, a.Hop)
	}
}

// refuseSize answers a packet of direction d that is too long with what would
// fit, in bytes of the packet as it arrived.
func (e *Engine) refuseSize(p *packet.Packet, i uint32, d int, mtu int) {
	e.stats.Add(DropTooBig, 1)
	e.errorTo(p, i, d, packet.ErrTooBig, mtu)
}
