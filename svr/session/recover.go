package session

import (
	"hash/maphash"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// recoveryWindow is how long after a cold start TCP packets of unknown flows
// may belong to sessions of the process before us: the idle time of TCP.
const recoveryWindow = 1900 * second

// justBorn says whether packets of unknown flows may belong to sessions of the
// process before us.
func (e *Engine) justBorn() bool { return e.cfg.ColdStart && e.now-e.born < recoveryWindow }

// recoverTable remembers when a mid-flow TCP packet was first seen.
type recoverTable struct {
	slots [4096]struct {
		hash        uint64
		first, last int64
	}
}

// stranger takes a bare packet on a wayport without a session: a peer that
// proved itself is asked to signal again, anybody else hears nothing.
func (e *Engine) stranger(p *packet.Packet) {
	e.stats.Add(DropStranger, 1)
	id := e.provenPath(p)
	if id == policy.NoPath || e.tables.Inactivity > 0 { // then only health checks are answered
		return
	}
	if p.Kind == packet.KindTCP && p.TCPFlags&flagRST != 0 {
		return
	}
	e.askMetadata(p, id)
}

// askMetadata asks a peer that sent p for the metadata of its flow.
func (e *Engine) askMetadata(p *packet.Packet, id policy.PathID) {
	if !e.enables.allow(e, p, id, second) {
		e.stats.Add(DropRateLimit, 1)
		return
	}
	hop, ok := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	if !ok {
		e.stats.Add(DropHop, 1)
		return
	}
	e.lend(hop)
	g := leg{path: id, ifc: p.If, hop: hop}
	m := &e.meta
	wire.Enable(&m.head, &m.body, keyIndex)
	seq, ack := answerNumbers(p)
	if e.sendMessage(p.T.Reverse(), &g, seq, ack) {
		e.stats.Add(SentEnable, 1)
	}
}

// provenPath returns a path on p's interface whose peer is known to be at p's
// source address.
func (e *Engine) provenPath(p *packet.Packet) policy.PathID {
	for id := range e.paths {
		if e.paths[id].ifc == p.If && e.paths[id].isProven(&p.T.Src) {
			return policy.PathID(id)
		}
	}
	return policy.NoPath
}

// admitMidflow decides about a TCP packet that is no SYN and belongs to no
// session (docs/wire.md 10).
func (e *Engine) admitMidflow(p *packet.Packet, svc policy.ServiceID, c *policy.Choice) bool {
	if p.TCPFlags&flagRST != 0 {
		e.stats.Add(DropState, 1)
		return false
	}
	if e.justBorn() && c.Kind == policy.RoutePeer {
		return e.waited(p)
	}
	switch e.tables.Services[svc].Policy.Enforcement {
	case policy.EnforceAllow:
		return true
	case policy.EnforceReset:
		e.replyReset(p)
	}
	e.stats.Add(DropState, 1)
	return false
}

// mirroredService is the service that protects a recovered session. The packet
// may be the answer of a session that the other side opened: then the service
// of the mirrored direction counts, so that nothing leaves less protected than
// it was before the restart.
func (e *Engine) mirroredService(svc policy.ServiceID, t *packet.Tuple) policy.ServiceID {
	mirror := t.Reverse()
	for id := range e.tables.Tenants {
		s, verdict := e.tables.Lookup(policy.TenantID(id), &mirror)
		if verdict != policy.Routed {
			continue
		}
		sec := e.tables.Services[s].Security
		if sec != policy.NoSecurity && sec != e.tables.Services[svc].Security && e.cfg.Payload[sec].Encrypts() {
			return s
		}
	}
	return svc
}

// protectorOf is the service that protects a session that reverse metadata m speaks
// of: the one that the peer names, whose packets are sealed as that says. We may have
// opened the session for the answers of one that the other side opened before, and
// then the service that our host calls says nothing about it.
func (e *Engine) protectorOf(svc policy.ServiceID, inner *packet.Tuple, m *receivedMeta) policy.ServiceID {
	if named, ok := e.tables.ServiceByName(m.p.Service); ok {
		return named
	}
	return e.mirroredService(svc, inner)
}

// waited says whether the flow of p was first seen a second ago, time enough
// for a peer that still holds it to speak up.
func (e *Engine) waited(p *packet.Packet) bool {
	h := maphash.Comparable(e.seed, p.T) | 1
	s := &e.recovering.slots[h%uint64(len(e.recovering.slots))]
	if s.hash != h || e.now-s.last > 10*second {
		s.hash, s.first = h, e.now
	}
	s.last = e.now
	if e.now-s.first < second {
		e.stats.Add(DropRecovering, 1)
		e.waiting.keep(p, h, s.first)
		return false
	}
	s.hash = 0
	return true
}

// resume takes reverse metadata on a pair we do not know: we opened that
// session and forgot it. The peer names service and tenant when we asked.
func (e *Engine) resume(p *packet.Packet, m *receivedMeta) {
	from, ok := e.tables.PeerByName(m.p.Router)
	if !ok || !m.p.Has.Has(wire.TypeUUID) {
		e.stats.Add(DropUnbound, 1)
		return
	}
	id := e.pathFrom(p, from)
	if id == policy.NoPath || !e.paths[id].isProven(&p.T.Src) {
		e.stats.Add(DropUnknownPeer, 1)
		return
	}
	if e.ended.has(e.hashUUID(&m.p.UUID), e.now) {
		e.stats.Add(DropReplay, 1) // not lost, but over
		return
	}
	inner := m.p.Context.Reverse()
	i, l := e.findContext(&inner)
	if i != none && e.recs[i].leg[1].kind() == kindSVR && !l {
		// Already opened anew from our side; the peer will be challenged there.
		e.stats.Add(DropUnbound, 1)
		return
	}
	leg := 1
	if _, ok = e.connected(inner.Src, inner.Family); ok {
		i, ok = e.reopen(p, id, inner, m)
	} else {
		leg = 0
		i, ok = e.rejoin(p, id, m)
	}
	if ok {
		e.stats.Add(SessionsRecovered, 1)
		e.deliver(p, i, leg, m)
	}
}

// reopen makes the session again that reverse metadata m speaks of: leg 0 the
// host, leg 1 the pair that p arrived on.
func (e *Engine) reopen(p *packet.Packet, id policy.PathID, inner packet.Tuple, m *receivedMeta) (uint32, bool) {
	in, ok := e.connected(inner.Src, inner.Family)
	if !ok {
		return none, false
	}
	tenant := e.tables.ClassifyTenant(policy.IfID(in), inner.Src, inner.Family)
	svc, verdict := e.tables.Lookup(tenant, &inner)
	if verdict != policy.Routed {
		e.stats.Add(DropNoRoute, 1)
		return none, false
	}
	i, ok := e.allocate(&inner)
	if !ok {
		return none, false
	}
	r := &e.recs[i]
	r.uuid, r.tenant, r.service, r.security = m.p.UUID, tenant, svc, e.protectorOf(svc, &inner, m)
	r.put(recRecovered, true)
	hop0, ok0 := e.nextHop(in, inner.Src, inner.Family, e.noGateway)
	hop1, ok1 := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	r.leg[0] = leg{bits: legOf(kindNative, roleNone), path: policy.NoPath, ifc: in, hop: orNone(hop0, ok0)}
	r.leg[1] = leg{
		bits: legOf(kindSVR, roleInitiator) | legSignal, path: id,
		ifc: p.If, hop: orNone(hop1, ok1), since: tickOf(e.now),
	}
	if !ok0 || !ok1 || !e.protect(r) || !e.claimLeg(r, 1, p, id) {
		e.remove(i)
		return none, false
	}
	e.freshSalt(r, 0)
	e.takeSalt(r, 1, m)
	key := [2]pool.Key{{Tuple: inner, If: in}, {Tuple: p.T, If: p.If}}
	return i, e.publish(i, &key)
}

// claimLeg takes the pair of leg l of a session that we had before.
func (e *Engine) claimLeg(r *record, l int, p *packet.Packet, id policy.PathID) bool {
	ok := e.cfg.Wayports.Claim(e.cfg.Pathway[id], p.T.DstPort, p.T.SrcPort, e.now) ||
		e.cfg.Kept != nil && e.cfg.Kept(e.cfg.Pathway[id], p.T.DstPort, p.T.SrcPort)
	r.leg[l].put(legOwned, ok)
	if !ok {
		e.stats.Add(DropWayports, 1)
	}
	return ok
}

func orNone(hop uint16, ok bool) uint16 {
	if ok {
		return hop
	}
	return noHop
}
