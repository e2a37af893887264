package router

import (
	"waymark/svr/host"
	"waymark/svr/packet"
	"waymark/svr/path"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/watch"
)

// What package watch needs of engine and lane, and they of it.

// bfdLinks is what paths and neighbours need of the interfaces.
func bfdLinks(v *host.View, t *policy.Tables, status []host.State) []watch.Link {
	list := make([]watch.Link, len(status))
	for i, s := range status {
		list[i] = watch.Link{Up: s.Up, MTU: s.MTU, Addrs: s.Addrs}
		if l, ok := v.Links[t.Interfaces[i].Target]; ok {
			list[i].Device = uint32(l.Index)
		}
	}
	return list
}

// onLane lets the engine do something between two batches of the lane, at the
// time of now: a lane that idles has not told it for long.
func (r *Router) onLane(do func()) error {
	return r.lane.Do(func() {
		r.adapter.begin(r.clock())
		do()
	})
}

// tellEngine brings what BFD found to the engine.
func (r *Router) tellEngine(f *watch.Findings) {
	if f.Quiet() {
		return
	}
	e := r.parts.Engine
	_ = r.onLane(func() { // fails only when the lane has ended
		for id, remote := range f.Moved {
			e.SetPathRemote(policy.PathID(id), remote)
		}
		for id, remote := range f.Seen {
			e.PathSeen(policy.PathID(id), remote)
		}
		for id := range f.Renew {
			e.Renew(policy.PathID(id))
		}
		for _, q := range f.Requests {
			e.Requested(q.Path, q.Data)
		}
	})
}

// fitPaths tells the engine of paths that take longer or shorter packets now.
func (r *Router) fitPaths(news []path.Change) {
	_ = r.lane.Do(func() { // fails only when the lane has ended
		for _, c := range news {
			r.parts.Engine.PathFits(policy.PathID(c.ID))
		}
	})
}

// sendTagged builds a datagram of BFD and sends it by the lane.
func (r *Router) sendTagged(o *peer.Sending) {
	src, family := packet.FromAddr(o.Local)
	dst, _ := packet.FromAddr(o.To.Addr())
	t := packet.Tuple{Src: src, Dst: dst, SrcPort: o.Port, DstPort: o.To.Port(), Proto: packet.ProtoUDP, Family: family}
	_ = r.lane.Do(func() { // fails only when the lane has ended
		p := r.adapter.Buffer(false)
		if p == nil {
			return
		}
		b := packet.Build(p, t, o.Hops, o.DSCP<<2, len(o.Data))
		if b == nil {
			return
		}
		copy(b, o.Data)
		p.Finish()
		r.parts.Engine.SendLocal(p, policy.IfID(o.If))
	})
}
