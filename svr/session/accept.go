package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// arrive takes metadata on a tuple that belongs to no session.
func (e *Engine) arrive(p *packet.Packet) { e.arriveJoined(p, false) }

func (e *Engine) arriveJoined(p *packet.Packet, joined bool) {
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
	if isCarried(&m) {
		e.carriedAside(p, &m)
		return
	}
	e.arriveWith(p, &m)
}

// arriveWith decides what verified metadata on an unknown tuple means.
func (e *Engine) arriveWith(p *packet.Packet, m *receivedMeta) {
	if string(m.p.Router) == e.tables.RouterName {
		e.stats.Add(DropOwnRouter, 1)
		return
	}
	odd := p.T.DstPort&1 == 1
	switch {
	case m.p.Forward && odd:
		e.arriveForward(p, m)
	case m.p.Reverse && !odd && !m.h.Has.Has(wire.TypeControl):
		e.resume(p, m)
	case m.h.Has.Has(wire.TypeHealthCheck) && !m.p.Forward && !m.p.Reverse:
		e.stats.Add(ReceivedHealth, 1)
		e.askedHere(p)
	case m.p.Reverse && odd && !m.h.Has.Has(wire.TypeControl):
		e.opened(p, m)
	case m.h.Has.Has(wire.TypeControl):
		e.stats.Add(DropControl, 1)
	default:
		e.stats.Add(DropDirection, 1)
	}
}

// arriveForward: a new session, or a known one from another place.
func (e *Engine) arriveForward(p *packet.Packet, m *receivedMeta) {
	h := e.hashUUID(&m.p.UUID)
	e.byUUID.Prefetch(h)
	e.byContext.Prefetch(e.hashTuple(&m.p.Context))
	from, ok := e.tables.PeerByName(m.p.Router)
	if !ok {
		e.stats.Add(DropUnknownPeer, 1)
		return
	}
	id := e.pathFrom(p, from)
	if id == policy.NoPath {
		e.stats.Add(DropUnknownPeer, 1)
		return
	}
	named := e.named(m, h)
	if i, l, ok := e.known(m, named, from); ok {
		e.moved(p, i, l, id, m)
		return
	}
	if named != none && e.cameBack(named, m) {
		e.stats.Add(DropOwnRouter, 1)
		return
	}
	echoed := e.echoes(p, m)
	if m.h.Has.Has(wire.TypeControl) && !(echoed && m.h.Control == wire.ControlKeepAlive) {
		e.stats.Add(DropControl, 1)
		return
	}
	if !echoed && e.ended.has(h, e.now) {
		e.challenge(p, id, m)
		return
	}
	e.accept(p, id, m)
}

// pathFrom returns our path to the peer on the interface p arrived on; the one
// whose remote address is the sender's is the best.
func (e *Engine) pathFrom(p *packet.Packet, from policy.PeerID) policy.PathID {
	found, src := policy.NoPath, packet.ToAddr(p.T.Src, p.T.Family)
	for _, id := range e.tables.Peers[from].Paths {
		pp := &e.paths[id]
		if pp.ifc != p.If {
			continue
		}
		if pp.family != 0 && pp.remote == p.T.Src {
			return id
		}
		if s := e.cfg.Paths.Status(uint16(id)); s.Up && s.Remote == src { // where BFD found it
			return id
		}
		if found == policy.NoPath {
			found = id
		}
	}
	return found
}

// named returns the session whose UUID metadata carries, none without; h is the hash
// of that UUID.
func (e *Engine) named(m *receivedMeta, h uint64) uint32 {
	if !m.p.Has.Has(wire.TypeUUID) {
		return none
	}
	return e.findUUID(&m.p.UUID, h)
}

// known finds the session that forward metadata speaks of: same UUID, which is that
// of session named, or same context and router. l is its leg towards that router.
func (e *Engine) known(m *receivedMeta, named uint32, from policy.PeerID) (i uint32, l int, ok bool) {
	if named != none {
		if l = e.facing(named, from); l >= 0 {
			return named, l, true
		}
	}
	i, mirrored := e.findContext(&m.p.Context)
	if i == none {
		return i, 0, false
	}
	l = 0
	if mirrored {
		l = 1
	}
	g := &e.recs[i].leg[l]
	return i, l, g.kind() == kindSVR && g.path != policy.NoPath && e.paths[g.path].peer == from
}

// cameBack says whether m, which has the UUID of session i, speaks of it and a host
// behind us opened it: other routers sent it round in a loop.
func (e *Engine) cameBack(i uint32, m *receivedMeta) bool {
	return e.recs[i].leg[0].kind() != kindSVR && e.inner(&e.recs[i]) == m.p.Context
}

// facing returns the leg of session i that leads to a peer, -1 without one.
func (e *Engine) facing(i uint32, from policy.PeerID) int {
	for l := range e.recs[i].leg {
		g := &e.recs[i].leg[l]
		if g.kind() == kindSVR && g.path != policy.NoPath && e.paths[g.path].peer == from {
			return l
		}
	}
	return -1
}

// accept makes a session whose leg 0 is a peer.
func (e *Engine) accept(p *packet.Packet, id policy.PathID, m *receivedMeta) {
	tenant, payloadOf, ok := e.names(m)
	if !ok || !e.coherent(p, m) {
		return
	}
	svc, verdict := e.tables.Lookup(tenant, &m.p.Context)
	if verdict != policy.Routed {
		e.refuse(p, verdict)
		return
	}
	if p.TTL() <= 1 {
		e.errorAbout(p, packet.ErrTTL, carrierTo(p, id, m))
		e.stats.Add(DropTTL, 1)
		return
	}
	choice, ok := e.choose(svc, &m.p.Context, id)
	if !ok {
		if !e.undecided(p, svc, id) {
			e.errorAbout(p, packet.ErrNoRoute, carrierTo(p, id, m))
			e.stats.Add(DropNoPath, 1)
		}
		return
	}
	if e.mustAsk(&choice) && !e.asked.ready(&m.p.Context, choice.Path) {
		e.ask(p, m.p.Context, m.p.UUID, tenant, payloadOf, choice.Path, false) // the sender signals again
		return
	}
	i, ok := e.follow(p, id, m, tenant, svc, payloadOf, &choice)
	if !ok {
		return
	}
	e.stats.Add(SessionsAccepted, 1)
	e.paths[id].prove(&p.T.Src)
	if m.h.Has.Has(wire.TypeControl) {
		e.sendDisable(i, 0) // an echo without data
		return
	}
	e.deliver(p, i, 0, m)
}

// names resolves tenant and service of forward metadata, and checks that both
// sides mean the same payload protection (docs/wire.md 3).
func (e *Engine) names(m *receivedMeta) (policy.TenantID, policy.ServiceID, bool) {
	tenant, ok := policy.Global, true
	if len(m.p.Tenant) > 0 {
		tenant, ok = e.tables.TenantByName(m.p.Tenant)
	}
	if !ok {
		e.stats.Add(DropUnknownTenant, 1)
		return 0, 0, false
	}
	svc, ok := e.tables.ServiceByName(m.p.Service)
	if !ok {
		e.stats.Add(DropUnknownService, 1)
		return 0, 0, false
	}
	sec := e.tables.Services[svc].Security
	encrypts := sec != policy.NoSecurity && e.cfg.Payload[sec].Encrypts()
	if encrypts != m.p.Encrypted() {
		e.stats.Add(DropSecurityMismatch, 1)
		return 0, 0, false
	}
	return tenant, svc, true
}

// coherent says whether context and outer packet can belong together.
func (e *Engine) coherent(p *packet.Packet, m *receivedMeta) bool {
	c := &m.p.Context
	ok := m.p.Has.Has(wire.TypeUUID) && (c.Proto == packet.ProtoTCP || p.T.Proto == packet.ProtoUDP)
	switch c.Proto {
	case packet.ProtoTCP, packet.ProtoUDP:
	case packet.ProtoICMP:
		ok = ok && c.Family == 4 && c.SrcPort == c.DstPort
	case packet.ProtoICMPv6:
		ok = ok && c.Family == 6 && c.SrcPort == c.DstPort
	default:
		ok = false
	}
	if !ok {
		e.stats.Add(DropMetadata, 1)
	}
	return ok
}

// refuse answers a session that a peer asked for and policy forbids.
func (e *Engine) refuse(p *packet.Packet, v policy.Verdict) {
	e.stats.Add(SessionRefused, 1)
	switch v {
	case policy.Deny:
		e.stats.Add(DropDeny, 1)
		return
	case policy.Prohibited:
		e.replyError(p, packet.ErrAdminProhibited, 0)
	default:
		e.replyError(p, packet.ErrNoRoute, 0)
	}
	e.stats.Add(DropNoRoute, 1)
}

// follow makes the record of an accepted session.
func (e *Engine) follow(p *packet.Packet, id policy.PathID, m *receivedMeta, tenant policy.TenantID,
	svc, payloadOf policy.ServiceID, c *policy.Choice) (uint32, bool) {
	i, ok := e.allocate(&m.p.Context)
	if !ok {
		return none, false
	}
	r := &e.recs[i]
	r.uuid, r.tenant, r.service, r.security = m.p.UUID, tenant, svc, payloadOf
	g := &r.leg[0]
	g.bits, g.count = legOf(kindSVR, roleResponder)|legSignal, 1
	g.path, g.ifc, g.due = id, p.If, tickOf(e.now+answerWithin)
	key := [2]pool.Key{{Tuple: p.T, If: p.If}}
	if g.hop, ok = e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway); !ok {
		g.hop = noHop
		e.stats.Add(DropHop, 1)
	}
	if !ok || !e.protect(r) || !e.lead(i, &key[1], c) {
		e.remove(i)
		return none, false
	}
	if !e.setBridge(r, key[0].Proto, key[1].Proto) || !e.keysOf(r, m) {
		e.freeWayports(r, 1, &key[1]) // remove finds pairs in the table only
		e.remove(i)
		return none, false
	}
	return i, e.publish(i, &key)
}

// keysOf sets up the keys of a new session whose leg 0 is a peer.
func (e *Engine) keysOf(r *record, m *receivedMeta) bool {
	if r.key == none {
		return true
	}
	if r.leg[1].kind() != kindSVR {
		e.freshSalt(r, 1)
	}
	return e.takeSalt(r, 0, m)
}
