package session

import (
	"waymark/svr/packet"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// decode takes a packet of a known session that arrived on SVR leg d, undoes
// what the peer added and sends it on. joined: p was put together from fabric
// fragments, whose digests were good.
func (e *Engine) decode(p *packet.Packet, i uint32, d int, joined bool) {
	if p.TTL() <= 1 {
		e.errorAbout(p, packet.ErrTTL, e.carrierOf(i, d))
		e.stats.Add(DropTTL, 1)
		return
	}
	if p.GSO != packet.GSONone {
		if !e.passesWhole(p, i, d) {
			e.decodeSegments(p, i, d)
			return
		}
	}
	b := p.Payload()
	if wire.HasCookie(b) && !wire.FalsePositive(b) {
		e.decodeSignalled(p, i, d, joined)
		return
	}
	e.decodeBare(p, i, d, joined)
}

// passesWhole says whether a super-packet needs nothing done to its segments.
func (e *Engine) passesWhole(p *packet.Packet, i uint32, d int) bool {
	r := &e.recs[i]
	return !e.protected(r) && p.T.Proto == r.proto && !e.hasCookie(p)
}

func (e *Engine) decodeSegments(p *packet.Packet, i uint32, d int) {
	e.eachSegment(p, func(b *packet.Packet) bool {
		used := e.recs[i].is(recUsed)
		if used {
			e.decode(b, i, d, false)
		}
		return used
	})
}

// eachSegment hands the packets that p is on the wire to take, until that says
// no.
func (e *Engine) eachSegment(p *packet.Packet, take func(b *packet.Packet) bool) {
	var cut packet.Segmenter
	cut.Init(p, int(p.GSOSize))
	for {
		b := e.out.Buffer(false)
		if b == nil {
			e.stats.Add(DropBuffer, 1)
			return
		}
		if !cut.Next(b) || !take(b) {
			return
		}
	}
}

// decodeSignalled reads the metadata in front of the data.
func (e *Engine) decodeSignalled(p *packet.Packet, i uint32, d int, joined bool) {
	if !p.VerifyL4() {
		e.stats.Add(DropChecksum, 1)
		return
	}
	m, ok := e.openMetadata(p, joined)
	if !ok {
		return
	}
	if m.h.Has.Has(wire.TypeFragment) {
		e.fabricPiece(p, &m, joined)
		return
	}
	if m.h.Has.Has(wire.TypeControl) {
		e.control(p, i, d, &m)
		return
	}
	if isCarried(&m) {
		e.takeError(p, i, d, &m)
		return
	}
	switch e.believe(p, i, d, &m) {
	case beliefReplace:
		e.replace(p, i, &m)
	case beliefPass:
		if m.h.Has.Has(wire.TypeHealthCheck) {
			e.stats.Add(ReceivedHealth, 1)
			e.deliver(p, i, d, &m)
			e.answerHealth(i, d)
			return
		}
		e.deliver(p, i, d, &m)
	}
}

// deliver removes the metadata and sends the data on.
func (e *Engine) deliver(p *packet.Packet, i uint32, d int, m *receivedMeta) {
	e.stats.Add(MetadataRemoved, 1)
	p.RemoveData(m.size)
	e.marked = m.p.SYN()
	e.restore(p, i, d, true)
	e.marked = false
}

// belief is what metadata of a known session leads to.
type belief uint8

const (
	beliefDrop belief = iota
	beliefPass
	beliefReplace // the pair is another session's now, and that is proven
)

// believe applies session metadata that arrived on leg d of session i
// (docs/wire.md 3 and 10).
func (e *Engine) believe(p *packet.Packet, i uint32, d int, m *receivedMeta) belief {
	r := &e.recs[i]
	g := &r.leg[d]
	odd := p.T.DstPort&1 == 1
	switch {
	case m.p.Forward && odd != g.inside() && g.role() == roleResponder:
		return e.believeForward(p, i, d, m)
	case m.p.Reverse && odd == g.inside() && g.role() == roleInitiator:
		return e.believeReverse(i, d, m)
	case !m.p.Forward && !m.p.Reverse:
		return beliefPass
	}
	e.stats.Add(DropDirection, 1)
	return beliefDrop
}

func (e *Engine) believeForward(p *packet.Packet, i uint32, d int, m *receivedMeta) belief {
	r := &e.recs[i]
	g := &r.leg[d]
	if string(m.p.Router) == e.tables.RouterName {
		e.stats.Add(DropOwnRouter, 1)
		return beliefDrop
	}
	if m.p.Context != e.ctx(r, d) || m.p.UUID != r.uuid {
		return e.contest(p, m)
	}
	if !e.takeSalt(r, d, m) {
		return beliefDrop
	}
	e.paths[g.path].prove(&p.T.Src)
	e.setSimple(r, shortNone)
	g.put(legSignal, true)
	g.countUp()
	if g.due == 0 {
		g.due = tickOf(e.now + answerWithin)
		e.arm(i)
	}
	if g.count >= 4 && e.elapsed(g.spoke, disableGap) {
		e.sendDisable(i, d)
	}
	return beliefPass
}

func (e *Engine) believeReverse(i uint32, d int, m *receivedMeta) belief {
	r := &e.recs[i]
	if m.p.Context != e.ctx(r, d) {
		e.stats.Add(DropUnbound, 1)
		return beliefDrop
	}
	if m.p.Has.Has(wire.TypeChallenge) {
		e.stats.Add(ReceivedChallenge, 1)
		if m.p.UUID != r.uuid {
			e.stats.Add(DropUnbound, 1) // asks for an earlier session of the flow
			return beliefDrop
		}
		e.answerChallenge(i, d, m.p.Challenge)
		return beliefDrop
	}
	if !e.takeSalt(r, d, m) {
		return beliefDrop
	}
	e.asked.forget(i) // it is where it was
	e.handshakeDone(i, d)
	return beliefPass
}

// handshakeDone: the peer of leg d knows the session; no more forward metadata.
func (e *Engine) handshakeDone(i uint32, d int) {
	g := &e.recs[i].leg[d]
	if e.recs[i].key != none && g.count == 0 {
		return // it does not know our key yet: its metadata crossed ours
	}
	if g.signal() {
		g.put(legSignal, false)
		g.count = 0
		if g.role() == roleInitiator {
			g.due = 0 // a moved session signals by itself no more
		}
		e.moves.forget(i)
		e.unhold(i)
		e.settle(i)
	}
}

// decodeBare takes a packet without metadata on SVR leg d.
func (e *Engine) decodeBare(p *packet.Packet, i uint32, d int, joined bool) {
	r := &e.recs[i]
	b := p.Payload()
	marked := wire.FalsePositive(b)
	digested := joined
	if prot := e.protected(r); prot || marked || p.T.Proto != r.proto {
		if !p.VerifyL4() {
			e.stats.Add(DropChecksum, 1)
			return
		}
		if pol := e.payload(r); prot && !joined && len(b) > 0 && pol.DigestSize() > 0 {
			if !e.checkDigest(p, pol, true) {
				return
			}
			digested = true
		}
	}
	if marked {
		p.RemoveData(wire.HeaderSize)
		e.stats.Add(FalsePositiveRemoved, 1)
	}
	e.acknowledge(i, d, digested)
	e.restore(p, i, d, marked)
}

// acknowledge: a bare packet says that our reverse metadata arrived, if it can
// be believed (docs/wire.md 10).
func (e *Engine) acknowledge(i uint32, d int, digested bool) {
	g := &e.recs[i].leg[d]
	if g.role() != roleResponder || !g.signal() || g.since == 0 {
		return
	}
	rtt := int64(e.cfg.Paths.Status(uint16(g.path)).MinRTT)
	if rtt == 0 {
		rtt = 1e6
	}
	if !digested && e.now-g.since.time(e.now) < rtt {
		return
	}
	g.put(legSignal|legAnnounce, false)
	g.since, g.due, g.count = 0, 0, 0
	e.settle(i)
}

// restore undoes payload protection and transform, then sends p out on the other
// leg. changed: data bytes were removed already.
func (e *Engine) restore(p *packet.Packet, i uint32, d int, changed bool) {
	r := &e.recs[i]
	native := r.leg[1-d].kind() != kindSVR
	if e.protected(r) {
		if e.ends(r, 1-d) && !e.unseal(p, i, d) {
			return
		}
		changed = true
	}
	if p.T.Proto != r.proto && (native || e.readable(r)) {
		if !e.fromUDP(p, r, d) {
			return
		}
		changed = false
	}
	if changed {
		p.Finish()
	}
	e.observe(p, i, d)
	if !native {
		e.toPeer(p, i, d)
		return
	}
	e.clampFromPeer(p, r, d)
	e.toNative(p, i, d)
}

// fromUDP rebuilds the transformed packet. The family of the header changes
// first: ICMPv6 lives in IPv6 only.
func (e *Engine) fromUDP(p *packet.Packet, r *record, d int) bool {
	to := e.table.Action(r.slot[d]).To
	to.Proto = packet.ProtoUDP
	if !p.Readdress(to) || !p.FromUDP(r.proto, to.SrcPort, to.DstPort) {
		e.stats.Add(DropMetadata, 1)
		return false
	}
	return true
}

// unseal decrypts the data of p, which arrived on leg d.
func (e *Engine) unseal(p *packet.Packet, i uint32, d int) bool {
	r := &e.recs[i]
	pol := e.payload(r)
	b := p.Payload()
	if len(b) == 0 || !pol.Encrypts() {
		return true
	}
	if !pol.Cipher().GCM() {
		out, err := pol.DecryptCBC(b)
		if err != nil {
			e.stats.Add(DropDecrypt, 1)
			return false
		}
		p.Trim(len(b) - len(out))
		return true
	}
	k := e.keys.gcm(r.key, d)
	if k == nil {
		e.stats.Add(DropState, 1)
		e.keys.at(r.key).bad[d] = badKeys // the metadata with the key was lost
		e.outOfStep(p, i, d)
		return false
	}
	out, err := k.Open(b)
	if err != nil {
		e.stats.Add(replayOrDecrypt(err), 1)
		if err == secure.ErrDecrypt {
			e.outOfStep(p, i, d)
		}
		return false
	}
	e.keys.at(r.key).bad[d] = 0
	p.Trim(len(b) - len(out))
	return true
}

// clampFromPeer keeps the MSS of a SYN from the far side inside this path: the
// answers will leave on it.
func (e *Engine) clampFromPeer(p *packet.Packet, r *record, d int) {
	if p.Kind != packet.KindTCP || p.TCPFlags&flagSYN == 0 {
		return
	}
	o := outgoing{r: r, g: &r.leg[d], mtu: e.pathMTU(r.leg[d].path)}
	o.a.To = e.table.Key(r.slot[d]).Tuple
	o.change = o.a.To.Proto != r.proto
	if e.protected(r) {
		o.pol = e.payload(r)
		o.seal = o.pol.Encrypts()
	}
	e.clampSYN(p, &o)
}
