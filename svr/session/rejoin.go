package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// rejoin makes a transit session again that reverse metadata m speaks of. The
// peer that still has the flow becomes leg 0, as if it had opened the session;
// the way to the other one is that of the service it calls. There the session
// is known, and its router asks us to prove ourselves.
func (e *Engine) rejoin(p *packet.Packet, id policy.PathID, m *receivedMeta) (uint32, bool) {
	payloadOf, ok := e.tables.ServiceByName(m.p.Service)
	if !ok {
		e.stats.Add(DropUnknownService, 1)
		return none, false
	}
	tenant, svc, ok := e.mirroredRoute(m)
	if !ok {
		e.stats.Add(DropNoRoute, 1)
		return none, false
	}
	choice, ok := e.choose(svc, &m.p.Context, id)
	if !ok || choice.Kind != policy.RoutePeer || e.mustAsk(&choice) {
		e.stats.Add(DropNoPath, 1)
		return none, false
	}
	i, ok := e.allocate(&m.p.Context)
	if !ok {
		return none, false
	}
	r := &e.recs[i]
	r.uuid, r.tenant, r.service, r.security = m.p.UUID, tenant, svc, payloadOf
	r.put(recRecovered, true)
	hop, ok := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	r.leg[0] = leg{
		bits: legOf(kindSVR, roleInitiator) | legSignal, path: id,
		ifc: p.If, hop: orNone(hop, ok), since: tickOf(e.now),
	}
	if !ok {
		e.stats.Add(DropHop, 1)
		e.remove(i)
		return none, false
	}
	return i, e.rejoinLegs(p, i, m, &choice)
}

// rejoinLegs takes the pairs of both legs. On failure the record is gone.
func (e *Engine) rejoinLegs(p *packet.Packet, i uint32, m *receivedMeta, c *policy.Choice) bool {
	r := &e.recs[i]
	key := [2]pool.Key{{Tuple: p.T, If: p.If}}
	ok := e.claimLeg(r, 0, p, r.leg[0].path) && e.lead(i, &key[1], c)
	if ok && e.setBridge(r, key[0].Proto, key[1].Proto) && e.takeSalt(r, 0, m) {
		return e.publish(i, &key)
	}
	e.freeWayports(r, 0, &key[0]) // remove finds pairs in the table only
	e.freeWayports(r, 1, &key[1])
	e.remove(i)
	return false
}

// mirroredRoute finds the service of the answers of a session: for the tenant
// that the peer names, else for any that has one, as hosts behind two routers
// seldom have the same.
func (e *Engine) mirroredRoute(m *receivedMeta) (policy.TenantID, policy.ServiceID, bool) {
	named := policy.Global
	if len(m.p.Tenant) > 0 {
		t, ok := e.tables.TenantByName(m.p.Tenant)
		if !ok {
			return 0, 0, false
		}
		named = t
	}
	if svc, v := e.tables.Lookup(named, &m.p.Context); v == policy.Routed {
		return named, svc, true
	}
	for id := range e.tables.Tenants {
		if svc, v := e.tables.Lookup(policy.TenantID(id), &m.p.Context); v == policy.Routed {
			return named, svc, true
		}
	}
	return 0, 0, false
}
