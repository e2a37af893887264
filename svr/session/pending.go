package session

import (
	"hash/maphash"
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/policy"
)

// pendingTry is how long the first packet of a flow waits before its way is
// looked for again.
const pendingTry = second / 10

// undecided says whether no way of a service is up, but one is on a path that
// will show within seconds whether it is. A host's packet then waits for that
// instead of an error; a peer sends its metadata again by itself.
func (e *Engine) undecided(p *packet.Packet, svc policy.ServiceID, from policy.PathID) bool {
	pending := func(id policy.PathID) bool {
		return id != from && (e.paths[id].family != 0 || e.tables.Paths[id].PeerOutbound) && e.cfg.Paths.Status(uint16(id)).Pending
	}
	none := func(policy.IfID) bool { return false }
	if _, ok := e.tables.Choose(svc, pending, none, 0); !ok {
		return false
	}
	e.stats.Add(WaitsForPath, 1)
	if from == policy.NoPath {
		e.waiting.keep(p, maphash.Comparable(e.seed, p.T), e.now-second+pendingTry)
	}
	return true
}

// SetPathRemote tells where the peer of a path is now; sessions that are opened
// from now on go there.
func (e *Engine) SetPathRemote(id policy.PathID, remote netip.Addr) {
	p, c := &e.paths[id], &e.tables.Paths[id]
	if p.moved == remote {
		return
	}
	p.moved = remote
	local := c.Local
	if !local.IsValid() {
		local = e.waypointOf(uint16(c.If), remote)
	}
	e.setPathAddresses(p, local, remote, policy.PathName(e.tables.Interfaces[c.If].Name, local, remote))
}

// remoteOf is the peer's waypoint of a path: as learned, else as configured.
func (e *Engine) remoteOf(id int) netip.Addr {
	if m := e.paths[id].moved; m.IsValid() {
		return m
	}
	return e.tables.Paths[id].Remote
}

// SendLocal sends a finished packet of the box itself on a network-interface, by
// the next-hop that its destination has there.
func (e *Engine) SendLocal(p *packet.Packet, ifc policy.IfID) {
	hop, ok := e.nextHop(uint16(ifc), p.T.Dst, p.T.Family, e.noGateway)
	if !ok {
		e.stats.Add(DropHop, 1)
		return
	}
	e.lend(hop)
	e.out.Send(p, uint16(ifc), hop)
}
