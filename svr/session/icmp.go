package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// Least path MTU we believe of an ICMP too-big (docs/wire.md 11).
const (
	minMTU4 = 576
	minMTU6 = 1280
)

// mtu6 is what every path must take: less is found out by a probe or not at all.
const mtu6 = 1280

// mtuBelief is how long a too-big counts: until then nothing probes the path.
const mtuBelief = 600 * second

// bucket limits what we send on our own account (RFC 4443 section 2.4 f).
type bucket struct {
	tokens int
	at     int64
}

// take allows 1,000 a second with bursts of 200.
func (b *bucket) take(now int64) bool {
	const rate, burst = second / 1000, 200
	if n := (now - b.at) / rate; n > 0 {
		b.tokens = int(min(int64(b.tokens)+n, burst))
		b.at = now
	}
	if b.tokens == 0 {
		return false
	}
	b.tokens--
	return true
}

// replyError answers the sender of p, which was not changed yet, on the
// interface it came from.
func (e *Engine) replyError(p *packet.Packet, kind packet.ErrKind, mtu int) {
	src, ok := e.ownAddress(p.If, p.T.Family)
	if _, own := e.own[addrKey(p.T.Dst, p.T.Family)]; own {
		src, ok = p.T.Dst, true
	}
	if !ok || !e.errors.take(e.now) {
		e.stats.Add(DropICMP, 1)
		return
	}
	b := e.out.Buffer(false)
	if b == nil {
		e.stats.Add(DropBuffer, 1)
		return
	}
	about := *p
	if src == p.T.Dst {
		// From a peer: what stands behind the headers may be decrypted
		// metadata, which must not travel back in the clear.
		about.End = about.Data
	}
	if packet.BuildICMPError(b, &about, kind, mtu, src) {
		e.sendBack(p, b)
		e.stats.Add(SentICMP, 1)
	}
}

// replyReset refuses the connection of p with a RST.
func (e *Engine) replyReset(p *packet.Packet) {
	b := e.out.Buffer(false)
	if b == nil || !e.errors.take(e.now) {
		e.stats.Add(DropBuffer, 1)
		return
	}
	if packet.BuildReset(b, p) {
		e.sendBack(p, b)
		e.stats.Add(SentReset, 1)
	}
}

// sendBack sends b to the source of p.
func (e *Engine) sendBack(p, b *packet.Packet) {
	hop, ok := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	if !ok {
		e.stats.Add(DropHop, 1)
		return
	}
	e.lend(hop)
	e.out.Send(b, p.If, hop)
}

// lend keeps a next-hop for a while that no session holds: long enough for the
// packet to leave.
func (e *Engine) lend(hop uint16) {
	if old := e.lent[e.lentNext]; old != noHop {
		e.out.Release(old)
	}
	e.lent[e.lentNext] = hop
	e.lentNext = (e.lentNext + 1) % len(e.lent)
}

// errorTo tells the sender of direction d of session i about packet p, which
// may have changed already: only its session counts.
func (e *Engine) errorTo(p *packet.Packet, i uint32, d int, kind packet.ErrKind, mtu int) {
	r := &e.recs[i]
	k := e.table.Key(r.slot[d])
	if p.T == k.Tuple {
		e.replyError(p, kind, e.leastMTU(k.Family, mtu))
		return
	}
	// Show the sender its own packet: the headers it used, the length it sent.
	b := e.out.Buffer(false)
	if b == nil {
		e.stats.Add(DropBuffer, 1)
		return
	}
	if packet.Build(b, k.Tuple, p.TTL(), p.TOS(), 0) == nil {
		e.stats.Add(DropICMP, 1)
		return
	}
	if p.Kind == packet.KindTCP && b.Kind == packet.KindTCP {
		copy(b.Buf[b.L4+4:b.L4+8], p.Buf[p.L4+4:]) // senders look at the sequence number
	}
	b.Finish()
	b.If = k.If
	e.replyError(b, kind, e.leastMTU(k.Family, mtu))
}

// leastMTU keeps what we tell a sender inside the limits of its family.
func (e *Engine) leastMTU(family uint8, mtu int) int {
	if family == 6 {
		return max(mtu, minMTU6)
	}
	return max(mtu, minMTU4)
}

// icmpError takes an ICMP error about a packet that went through us. It is
// believed only if the quoted tuple is live, and the TCP sequence in window.
func (e *Engine) icmpError(p *packet.Packet) {
	q, ok := p.Quote()
	if !ok {
		e.stats.Add(DropICMP, 1)
		return
	}
	// The packet left on the leg whose packets arrive with the mirrored tuple.
	s, ok := e.table.Lookup(&pool.Key{Tuple: q.T.Reverse(), If: p.If})
	if !ok {
		e.foreignError(p, &q)
		return
	}
	owner := e.table.Owner(s)
	i, l := owner>>1, int(owner&1)
	r := &e.recs[i]
	if q.T.Proto == packet.ProtoTCP && (!q.HasSeq || !e.quoted(r, q.Seq, 1-l)) {
		e.stats.Add(DropICMP, 1)
		return
	}
	e.passError(p, &q, i, l)
}

// foreignError: about nothing of ours but, perhaps, a probe for the path MTU.
// For the box itself the kernel has it; through us it is dropped, for errors
// without a session open nothing.
func (e *Engine) foreignError(p *packet.Packet, q *packet.Quote) {
	if id := e.probeOf(p, q); id != noPath {
		e.cfg.Watcher.TooBig(id, q.MTU)
	}
	if _, own := e.own[addrKey(p.T.Dst, p.T.Family)]; own {
		e.stats.Add(ForHost, 1)
		return
	}
	e.stats.Add(DropICMP, 1)
}

// passError sends an error that arrived on leg l of session i on to the sender
// on the other leg, in that leg's addresses.
func (e *Engine) passError(p *packet.Packet, q *packet.Quote, i uint32, l int) {
	r := &e.recs[i]
	mtu := 0
	if q.MTU > 0 {
		mtu = e.learnMTU(p, q, i, l)
	}
	if from := &r.leg[l]; q.MTU == 0 && from.inside() && !from.signal() {
		e.renew(r, l) // a NAT that forgot the flow says so: the peer must open it again
	}
	if r.leg[l].kind() == kindNative && e.carries(i, 1-l) {
		if q.MTU > 0 {
			mtu = e.leastMTU(q.T.Family, q.MTU)
		}
		e.carry(p, q, i, 1-l, mtu)
		return
	}
	e.hideInner(p, q, r, l)
	e.passQuote(p, q, i, l, mtu)
}

// passQuote sends the error on that p told on leg l: q, in the other leg's
// addresses.
func (e *Engine) passQuote(p *packet.Packet, q *packet.Quote, i uint32, l, mtu int) {
	r := &e.recs[i]
	g := &r.leg[1-l]
	quoted := e.table.Key(r.slot[1-l]).Tuple
	src, ok := e.errorSource(p, q, r, l, &quoted)
	b := e.out.Buffer(false)
	if !ok || b == nil || !e.errors.take(e.now) {
		e.stats.Add(DropICMP, 1)
		return
	}
	if !packet.BuildICMPFromQuote(b, p, q, src, quoted.Src, quoted, mtu) {
		e.stats.Add(DropICMP, 1)
		return
	}
	e.showInner(b, q, r, l)
	b.DecTTL()
	e.stats.Add(TranslatedICMP, 1)
	e.out.Send(b, g.ifc, g.hop)
}

// errorSource is the address an error goes on with: towards a peer our
// waypoint, towards a host the place where it arose if its family can say so.
// What only the host at the far end says comes from the address the sender
// knows it by: its own did not travel between the routers.
func (e *Engine) errorSource(p *packet.Packet, q *packet.Quote, r *record, l int, quoted *packet.Tuple) ([16]byte, bool) {
	g := &r.leg[1-l]
	if g.kind() != kindNative {
		return e.table.Key(r.slot[1-l]).Dst, true
	}
	if p.T.Src == q.T.Dst && farEndSays(q) {
		return quoted.Dst, true
	}
	if p.T.Family == quoted.Family {
		return p.T.Src, true
	}
	return e.ownAddress(g.ifc, quoted.Family)
}

// farEndSays tells errors that hosts send about packets to themselves: protocol
// or port unreachable.
func farEndSays(q *packet.Quote) bool {
	if q.T.Family == 6 {
		return q.Type == 1 && q.Code == 4
	}
	return q.Type == 3 && (q.Code == 2 || q.Code == 3)
}

// learnMTU takes a too-big for the path of leg l and returns what to tell the
// sender: the same less what we add.
func (e *Engine) learnMTU(p *packet.Packet, q *packet.Quote, i uint32, l int) int {
	r := &e.recs[i]
	g := &r.leg[l]
	mtu := e.leastMTU(q.T.Family, q.MTU)
	switch {
	case g.kind() != kindSVR || g.path == noPath:
	case e.probed(g.path):
		e.cfg.Watcher.TooBig(g.path, q.MTU)
		mtu = max(mtu, mtu6)
	default:
		pp := &e.paths[g.path]
		if pp.mtu == 0 || e.now >= pp.mtuUntil || mtu < pp.mtu {
			pp.mtu, pp.mtuUntil = mtu, e.now+mtuBelief
			e.pathShrunk(g.path)
		}
	}
	inner := e.table.Key(r.slot[1-l]).Tuple
	if g.kind() == kindSVR {
		probe := e.probe(r, 1-l)
		o := e.planFor(i, 1-l, probe.T.Proto)
		o.mtu = mtu
		mtu = e.fitting(&probe, &o)
	} else if inner.Family != q.T.Family {
		mtu += 20 * (int(inner.Family) - int(q.T.Family)) / 2
	}
	return e.leastMTU(inner.Family, mtu)
}

// pathShrunk makes the short way of every session on a path see its new MTU.
func (e *Engine) pathShrunk(id pathID) {
	e.refit(func(g *leg) bool { return g.kind() == kindSVR && g.path == id })
}

// refit publishes anew what leaves on the legs of which on says so: their MTU
// is another one now.
func (e *Engine) refit(on func(g *leg) bool) {
	for i := range e.recs[:e.virginRec] {
		r := &e.recs[i]
		if !r.is(recUsed) {
			continue
		}
		for l := range r.leg {
			if on(&r.leg[l]) && r.slot[1-l] != none && r.slot[l] != none {
				to := e.table.Key(r.slot[l]).Reverse()
				e.redirect(r, 1-l, to)
			}
		}
	}
}
