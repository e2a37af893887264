package session

import (
	"hash/maphash"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// open starts a session from a host's first packet: tenant, service, way,
// wayports, reverse flow, then the packet itself.
func (e *Engine) open(p *packet.Packet) {
	tenant := e.tables.ClassifyTenant(policy.IfID(p.If), p.T.Src, p.T.Family)
	svc, ok := e.classify(p, tenant)
	if !ok {
		return
	}
	if p.TTL() <= 1 {
		e.replyError(p, packet.ErrTTL, 0)
		e.stats.Add(DropTTL, 1)
		return
	}
	choice, ok := e.choose(svc, &p.T, policy.NoPath)
	if !ok {
		if !e.undecided(p, svc, policy.NoPath) {
			e.replyError(p, packet.ErrNoRoute, 0)
			e.stats.Add(DropNoPath, 1)
		}
		return
	}
	lost, ready := midflow(p), e.asked.ready(&p.T, choice.Path)
	if lost && !ready && !e.admitMidflow(p, svc, &choice) {
		return
	}
	security := svc
	if lost || p.Kind != packet.KindTCP && e.justBorn() {
		security = e.mirroredService(svc, &p.T)
	}
	if !ready && e.mustAsk(&choice) {
		e.ask(p, p.T, e.cfg.Random.UUID(), tenant, security, choice.Path, true)
		return
	}
	i, ok := e.begin(p, tenant, svc, security, &choice)
	if !ok {
		return
	}
	if lost {
		e.recs[i].put(recRecovered, true)
		e.stats.Add(SessionsRecovered, 1)
	}
	e.stats.Add(SessionsOpened, 1)
	e.hold(p, i)
	e.fromHost(p, i, 0)
}

// midflow says whether p is a TCP segment that opens no connection.
func midflow(p *packet.Packet) bool {
	return p.Kind == packet.KindTCP && p.TCPFlags&(flagSYN|flagACK|flagRST) != flagSYN
}

// classify asks the FIB, and answers the host where the answer is no.
func (e *Engine) classify(p *packet.Packet, tenant policy.TenantID) (policy.ServiceID, bool) {
	svc, verdict := e.tables.Lookup(tenant, &p.T)
	switch verdict {
	case policy.Routed:
		return svc, true
	case policy.Deny:
		e.stats.Add(DropDeny, 1)
		return svc, false
	case policy.Prohibited:
		e.replyError(p, packet.ErrAdminProhibited, 0)
	default:
		e.replyError(p, packet.ErrNoRoute, 0)
	}
	e.stats.Add(DropNoRoute, 1)
	return svc, false
}

// choose picks a way that is up, never back over the path it came from.
func (e *Engine) choose(svc policy.ServiceID, t *packet.Tuple, from policy.PathID) (policy.Choice, bool) {
	up := func(id policy.PathID) bool {
		return id != from && e.reaches(id)
	}
	ifUp := func(id policy.IfID) bool { return e.ifs[id].up }
	ask := policy.Ask{Up: up, IfUp: ifUp, Poor: e.poor, Merit: e.merit}
	if e.tables.Spreads(svc) {
		ask.Pick = uint32(maphash.Comparable(e.seed, *t))
	}
	return e.tables.ChooseBy(svc, &ask)
}

// begin makes the record of a session whose leg 0 is native.
func (e *Engine) begin(p *packet.Packet, tenant policy.TenantID, svc, security policy.ServiceID, c *policy.Choice) (uint32, bool) {
	i, ok := e.allocate(&p.T)
	if !ok {
		return none, false
	}
	r := &e.recs[i]
	r.uuid = e.cfg.Random.UUID()
	r.tenant, r.service, r.security = tenant, svc, security
	g := &r.leg[0]
	g.ifc = p.If
	if g.hop, ok = e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway); !ok {
		g.hop = noHop
		e.stats.Add(DropHop, 1)
		e.remove(i)
		return none, false
	}
	key := [2]pool.Key{{Tuple: p.T, If: p.If}}
	if !e.lead(i, &key[1], c) {
		e.remove(i)
		return none, false
	}
	return i, e.publish(i, &key)
}

// lead prepares leg 1 of session i as choice c says, and gives the key that
// its packets will arrive with.
func (e *Engine) lead(i uint32, key *pool.Key, c *policy.Choice) bool {
	switch {
	case e.mustAsk(c):
		return e.leadInside(i, key, c.Path)
	case c.Kind == policy.RoutePeer:
		return e.leadPeer(i, key, c.Path)
	}
	return e.leadNative(i, key, c)
}

// leadPeer takes a wayport pair on path id and becomes initiator there.
func (e *Engine) leadPeer(i uint32, key *pool.Key, id policy.PathID) bool {
	r, pp := &e.recs[i], &e.paths[id]
	g := &r.leg[1]
	g.bits = legOf(kindSVR, roleInitiator) | legSignal
	g.path, g.ifc, g.since = id, pp.ifc, tickOf(e.now)
	if !e.protect(r) {
		return false
	}
	if r.leg[0].kind() != kindSVR {
		e.freshSalt(r, 0)
	}
	var ok bool
	if g.hop, ok = e.pathHop(pp, pp.remote); !ok {
		g.hop = noHop
		e.stats.Add(DropHop, 1)
		return false
	}
	local, remote, err := e.cfg.Wayports.Alloc(e.cfg.Pathway[id], e.now)
	if err != nil {
		e.stats.Add(DropWayports, 1)
		return false
	}
	g.put(legOwned, true)
	*key = pool.Key{If: pp.ifc, Tuple: packet.Tuple{
		Src: pp.remote, Dst: pp.local, SrcPort: remote, DstPort: local,
		Family: pp.family, Proto: e.outerProto(r.proto, pp.transform),
	}}
	return true
}

// outerProto is the protocol of the outer header of a session's packets.
func (e *Engine) outerProto(inner uint8, transform bool) uint8 {
	if inner == packet.ProtoTCP && !transform {
		return packet.ProtoTCP
	}
	return packet.ProtoUDP
}

// pathHop takes a reference on the next-hop of a path towards remote.
func (e *Engine) pathHop(pp *peerPath, remote [16]byte) (uint16, bool) {
	return e.nextHop(pp.ifc, remote, pp.family, e.noGateway)
}

// protect fixes the payload protection of a session at its making.
func (e *Engine) protect(r *record) bool {
	pol := e.securityOf(r.security)
	if pol == nil {
		return true
	}
	r.put(recProtected, true)
	if pol.Cipher().GCM() && r.key == none {
		var ok bool
		if r.key, ok = e.keys.take(); !ok {
			e.stats.Add(SessionRefusedFull, 1)
			return false
		}
	}
	return true
}

// leadNative prepares a local next-hop, with source NAT where the interface
// wants it.
func (e *Engine) leadNative(i uint32, key *pool.Key, c *policy.Choice) bool {
	r := &e.recs[i]
	g := &r.leg[1]
	g.bits, g.ifc = legOf(kindNative, roleNone), uint16(c.If)
	out := e.inner(r)
	if c.Target.IsValid() {
		out.Dst, _ = packet.FromAddr(c.Target)
	}
	if c.SourceNAT && !e.translate(i, &out) {
		return false
	}
	var ok bool
	if g.hop, ok = e.nextHop(g.ifc, out.Dst, out.Family, c.Gateway); !ok {
		g.hop = noHop
		e.stats.Add(DropHop, 1)
		return false
	}
	*key = pool.Key{If: g.ifc, Tuple: out.Reverse()}
	return true
}

// action is what the table does with packets that arrive on leg d and leave as
// to on the other one.
func (e *Engine) action(r *record, d int, to packet.Tuple) pool.Action {
	return pool.Action{To: to, Hop: r.leg[1-d].hop, Flags: e.flags(r, d, e.legMTU(&r.leg[1-d]))}
}

// legMTU is what fits where leg g leads, in bytes of IP packet as it leaves.
func (e *Engine) legMTU(g *leg) int {
	if g.kind() == kindSVR && g.path != policy.NoPath {
		return e.pathMTU(g.path)
	}
	return e.ifs[g.ifc].mtu
}

// mtuOf is what fits where direction d of session r leaves with action a.
func (e *Engine) mtuOf(r *record, d int, a *pool.Action) int {
	if mtu := a.Flags & pool.FlagMTU; mtu < pool.FlagMTU {
		return int(mtu)
	}
	return e.legMTU(&r.leg[1-d])
}
