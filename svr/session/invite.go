package session

import (
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// Requested takes a session request that the peer of a path sent by BFD, where
// it was proven to be the peer's and new. The bytes are not kept.
func (e *Engine) Requested(id policy.PathID, b []byte) {
	var q wire.Request
	if int(id) >= len(e.paths) || wire.ParseRequest(b, &q) != nil {
		e.stats.Add(DropMetadata, 1)
		return
	}
	e.stats.Add(ReceivedRequest, 1)
	pp := &e.paths[id]
	if !e.tables.Paths[id].OutboundOnly || pp.family == 0 {
		e.stats.Add(DropUnbound, 1)
		return
	}
	m := e.requestMeta(&q, pp.peer)
	if i, l, ok := e.known(&m, e.named(&m, e.hashUUID(&m.p.UUID)), pp.peer); ok {
		e.requestedAgain(i, l, id, &q)
		return
	}
	e.acceptRequest(id, &m)
}

// requestMeta is what a request says, as if it had come as forward metadata.
func (e *Engine) requestMeta(q *wire.Request, from policy.PeerID) receivedMeta {
	s := &e.meta
	s.inH, s.inP = wire.Header{}, wire.Payload{}
	s.inP.SetForward(q.Context)
	s.inP.SetUUID(q.UUID)
	if len(q.Tenant) > 0 {
		s.inP.SetTenant(q.Tenant)
	}
	s.inP.SetService(q.Service)
	s.inP.SetRouter([]byte(e.tables.Peers[from].Name))
	if q.Encrypted {
		s.inP.SetEncrypted()
	}
	return receivedMeta{h: &s.inH, p: &s.inP}
}

// requestedAgain: the peer asks for a session that we have. From where it is
// already it is told again, else it moves.
func (e *Engine) requestedAgain(i uint32, l int, id policy.PathID, q *wire.Request) {
	r := &e.recs[i]
	g := &r.leg[l]
	switch {
	case g.role() == roleInitiator && l == 1 && e.inner(r).Reverse() == q.Context: // we opened it, and the peer forgot
		e.renew(r, l)
		e.nudge(i)
		return
	case g.role() != roleResponder || e.ctx(r, l) != q.Context:
		e.stats.Add(DropUnbound, 1)
		return
	}
	e.rename(i, &q.UUID)
	k := e.table.Key(r.slot[l])
	if g.inside() && g.path == id && k.Dst == e.paths[id].local {
		e.announce(i, l)
		return
	}
	e.sit(i, l, id)
}

// acceptRequest makes the session that the peer of path id asks for.
func (e *Engine) acceptRequest(id policy.PathID, m *receivedMeta) {
	tenant, payloadOf, ok := e.names(m)
	probe := packet.Packet{T: packet.Tuple{Proto: e.outerProto(m.p.Context.Proto, e.paths[id].transform)}}
	if !ok || !e.coherent(&probe, m) {
		return
	}
	svc, verdict := e.tables.Lookup(tenant, &m.p.Context)
	if verdict != policy.Routed {
		e.stats.Add(SessionRefused, 1)
		return
	}
	choice, ok := e.choose(svc, &m.p.Context, id)
	if !ok || e.mustAsk(&choice) { // it is asked for again while it waits
		e.stats.Add(DropNoPath, 1)
		return
	}
	i, ok := e.allocate(&m.p.Context)
	if !ok {
		return
	}
	r := &e.recs[i]
	r.uuid, r.tenant, r.service, r.security = m.p.UUID, tenant, svc, payloadOf
	if e.openInside(i, id, m, &choice) {
		e.stats.Add(SessionsAccepted, 1)
		e.announce(i, 0)
	}
}

// openInside gives session i both legs and publishes it. On failure it is gone.
func (e *Engine) openInside(i uint32, id policy.PathID, m *receivedMeta, c *policy.Choice) bool {
	r := &e.recs[i]
	var key [2]pool.Key
	var ok bool
	if key[0], r.leg[0], ok = e.seat(r, id); !ok || !e.protect(r) || !e.lead(i, &key[1], c) {
		e.freeWayports(r, 0, &key[0]) // remove finds pairs in the table only
		e.remove(i)
		return false
	}
	if !e.setBridge(r, key[0].Proto, key[1].Proto) || !e.keysOf(r, m) {
		e.freeWayports(r, 0, &key[0])
		e.freeWayports(r, 1, &key[1])
		e.remove(i)
		return false
	}
	return e.publish(i, &key)
}

// seat takes a wayport pair for a flow that we open for the peer of path id: our
// port is even, as who opens a flow has it, but it is the peer that signals.
func (e *Engine) seat(r *record, id policy.PathID) (key pool.Key, g leg, ok bool) {
	pp := &e.paths[id]
	g = leg{bits: legOf(kindSVR, roleResponder) | legSignal | legAnnounce, path: id, ifc: pp.ifc, hop: noHop}
	hop, ok := e.pathHop(pp, pp.remote)
	if !ok {
		e.stats.Add(DropHop, 1)
		return key, g, false
	}
	g.hop = hop
	local, remote, err := e.cfg.Wayports.Alloc(e.cfg.Pathway[id], e.now)
	if err != nil {
		e.stats.Add(DropWayports, 1)
		return key, g, false
	}
	g.put(legOwned, true)
	return pool.Key{If: pp.ifc, Tuple: packet.Tuple{Src: pp.remote, Dst: pp.local, SrcPort: remote, DstPort: local,
		Family: pp.family, Proto: e.outerProto(r.proto, pp.transform)}}, g, true
}

// sit moves leg l of session i to a new pair on path id and tells the peer.
func (e *Engine) sit(i uint32, l int, id policy.PathID) {
	r := &e.recs[i]
	key, g, ok := e.seat(r, id)
	if !ok {
		e.unseat(&g)
		return
	}
	e.setSimple(r, shortNone)
	s, err := e.table.Insert(key, e.table.Action(r.slot[l]), i<<1|uint32(l))
	if err != nil {
		e.cfg.Wayports.Free(e.cfg.Pathway[id], key.DstPort, key.SrcPort, e.now, e.now, true)
		e.unseat(&g)
		e.stats.Add(SessionRefusedFull, 1)
		e.settle(i)
		return
	}
	old := e.table.Key(r.slot[l])
	e.freeWayports(r, l, &old)
	e.table.Remove(r.slot[l], e.now)
	e.unseat(&r.leg[l])
	r.slot[l], r.leg[l] = s, g
	e.redirect(r, 1-l, key.Tuple.Reverse())
	e.rebridge(r, l, key.Proto)
	if e.ends(r, 1-l) {
		e.freshSalt(r, 1-l)
	}
	e.stats.Add(SessionsSteered, 1)
	e.announce(i, l)
}

func (e *Engine) unseat(g *leg) {
	if g.hop != noHop {
		e.out.Release(g.hop)
		g.hop = noHop
	}
}

// announce tells the peer of leg l, which asked, where the flow of session i is:
// an empty packet with reverse metadata and names.
func (e *Engine) announce(i uint32, l int) {
	r := &e.recs[i]
	g := &r.leg[l]
	e.setSimple(r, shortNone)
	g.put(legSignal|legAnnounce, true)
	o := outgoing{i: i, d: 1 - l, r: r, g: g, a: e.table.Action(r.slot[1-l])}
	e.compose(&o)
	if e.sendControl(i, l) {
		e.stats.Add(MetadataAdded, 1)
		e.signalled(i, g)
	}
	e.arm(i)
}

// PathSeen tells where BFD has proven that the peer of a path is, which only
// that peer can open flows from. What it sends from there is believed as far as
// it proves itself, and the flows that it opened for us are asked for anew with
// their next packet: its NAT knows them no more.
func (e *Engine) PathSeen(id policy.PathID, remote netip.Addr) {
	a, _ := packet.FromAddr(remote)
	e.paths[id].prove(&a)
	e.Renew(id)
}

// Renew lets the sessions of a path signal again, each with its next packet:
// the peer, or a NAT on the way, sees them from another place than before.
func (e *Engine) Renew(id policy.PathID) {
	for i := range e.virginRec {
		r := &e.recs[i]
		if !r.is(recUsed) {
			continue
		}
		for l := range r.leg {
			if g := &r.leg[l]; g.kind() == kindSVR && g.path == id && r.slot[l] != none {
				e.renew(r, l)
			}
		}
	}
}

func (e *Engine) renew(r *record, l int) {
	g := &r.leg[l]
	switch {
	case g.role() == roleResponder && !g.inside():
		return // the peer's to signal
	case g.role() == roleResponder:
		g.since = 0
		g.put(legAnnounce, true)
	case g.signal() && !r.heard(l):
		return // a handshake that nobody answered goes on and ends as it would have
	case g.inside():
		g.since = tickOf(e.now - second) // ask at once
	default:
		g.since = tickOf(e.now)
	}
	g.put(legSignal, true)
	g.due, g.count = 0, 0
	e.setSimple(r, shortNone)
	if e.ends(r, 1-l) {
		e.freshSalt(r, 1-l)
	}
}
