package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/wire"
)

// probed says whether somebody probes a path, so that no ICMP error needs to be
// believed.
func (e *Engine) probed(id pathID) bool {
	return e.cfg.Watcher != nil && e.tables.Paths[id].Adjacency.BFD.Enabled
}

// probeOf returns the path whose probe an ICMP too-big quotes, NoPath if it is
// about anything else.
func (e *Engine) probeOf(p *packet.Packet, q *packet.Quote) pathID {
	if q.MTU == 0 || q.T.Proto != packet.ProtoUDP || q.T.SrcPort != wire.BFDPort {
		return noPath
	}
	for i := range e.paths {
		pp := &e.paths[i]
		if pp.ifc == p.If && pp.family == q.T.Family && pp.local == q.T.Src && pp.remote == q.T.Dst && e.probed(pathID(i)) {
			return pathID(i)
		}
	}
	return noPath
}

// PathFits tells that a path's MTU, as its Monitor has it, may be another one:
// what is published of its sessions follows.
func (e *Engine) PathFits(id policy.PathID) {
	pp := &e.paths[id]
	if e.probed(id) {
		pp.mtu = 0 // probes know better
	}
	if mtu := e.pathMTU(id); mtu != pp.told {
		pp.told = mtu
		e.pathShrunk(id)
	}
}
