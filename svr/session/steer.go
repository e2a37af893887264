package session

import (
	"math"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// Steering: the router that opened a session over a peer path moves it to
// another path of the same peer when its own is down, or, where the policy says
// so, back to a better one. A move is new wayports and a new handshake: the new
// way is written first, then metadata goes there; the old pair still takes what
// is on its way and rests afterwards. Responders follow by the rules of
// docs/wire.md 3.

// lateTime is how long the pair that a session left takes its packets.
const lateTime = 3 * second

// nudgeEvery is how often a moved session that sends nothing signals by itself,
// and nudges how often at most.
const (
	nudgeEvery = second / 5
	nudges     = 25
)

// latePair is a pair that a session has left.
type latePair struct {
	session, slot uint32
	path          policy.PathID
	until         int64
}

// lateTable holds the pairs that sessions left, oldest first. It is a ring.
type lateTable struct {
	pairs       [4096]latePair
	first, size int
}

func (t *lateTable) full() bool { return t.size == len(t.pairs) }

func (t *lateTable) put(p latePair) {
	t.pairs[(t.first+t.size)%len(t.pairs)] = p
	t.size++
}

// flushLate frees the pairs whose time is over.
func (e *Engine) flushLate() {
	t := &e.late
	for t.size > 0 && t.pairs[t.first].until <= e.now {
		e.freeLate(&t.pairs[t.first])
		t.first = (t.first + 1) % len(t.pairs)
		t.size--
	}
}

// freeLate gives a pair back; one that was given back has no slot.
func (e *Engine) freeLate(p *latePair) {
	if p.slot == none {
		return
	}
	k := e.table.Key(p.slot)
	e.cfg.Wayports.Free(e.cfg.Pathway[p.path], k.DstPort, k.SrcPort, e.now, e.now, false)
	e.table.Remove(p.slot, e.now)
	p.slot = none
}

// forgetLate gives back what session i left, because it ends.
func (e *Engine) forgetLate(i uint32) {
	t := &e.late
	for k := range t.size {
		if p := &t.pairs[(t.first+k)%len(t.pairs)]; p.session == i {
			e.freeLate(p)
		}
	}
}

// Reroute looks at n session records from record `from` on and moves the
// sessions that should be on another path. It returns where to go on, 0 at the
// end. Call it when the state of paths changed.
func (e *Engine) Reroute(from uint32, n int) (next uint32) {
	end := min(uint64(from)+uint64(n), uint64(e.virginRec))
	for i := uint64(from); i < end; i++ {
		if r := &e.recs[i]; r.is(recUsed) && !e.readdressed(uint32(i), r) && r.leg[1].kind() == kindSVR && r.leg[1].role() == roleInitiator {
			e.reroute(uint32(i), r)
		}
	}
	if end >= uint64(e.virginRec) {
		return 0
	}
	return uint32(end)
}

// readdressed moves session i to the addresses that its path has now, if they
// are not those that it uses: a lease changed here or at the peer.
func (e *Engine) readdressed(i uint32, r *record) bool {
	for l := range r.leg {
		g := &r.leg[l]
		if g.kind() != kindSVR || !g.owned() || r.slot[l] == none || !e.cfg.Paths.Status(uint16(g.path)).Up {
			continue
		}
		pp, k := &e.paths[g.path], e.table.Key(r.slot[l])
		if pp.family == 0 || k.Family == pp.family && k.Dst == pp.local && k.Src == pp.remote {
			continue
		}
		if g.role() == roleResponder {
			e.sit(i, l, g.path)
		} else if l == 1 {
			e.shift(i, g.path, false)
		}
		return true
	}
	return false
}

// reroute moves session i if its policy and the state of its path want it.
func (e *Engine) reroute(i uint32, r *record) {
	g := &r.leg[1]
	pol := e.tables.Services[r.service].Policy
	s := e.cfg.Paths.Status(uint16(g.path))
	stays := s.Pending || s.Up && !e.poor(g.path, pol.SLA) && (pol.Resiliency != policy.ResiliencyRevertible || pol.Strategy == policy.Proportional)
	if pol.Resiliency == policy.ResiliencyNone || stays || s.Up && e.late.full() {
		return
	}
	switch to := e.wayWithin(r, e.paths[g.path].peer); {
	case to == policy.NoPath || to == g.path:
	case s.Up && e.poor(to, pol.SLA): // no better than where it is
	case e.tables.Paths[to].PeerOutbound:
		e.askFor(i, to)
	default:
		e.shift(i, to, s.Up)
	}
}

// poor says whether a path is beyond the limits of an SLA.
func (e *Engine) poor(id policy.PathID, sla int) bool { return e.cfg.Board.Poor(uint16(id), sla) }

// merit of a path for those who compare them by measurements, more is better.
func (e *Engine) merit(id policy.PathID, by policy.Best) int64 {
	if by == policy.BestMOS {
		return int64(e.cfg.Board.MOS(uint16(id)))
	}
	if l := e.cfg.Board.Latency(uint16(id)); l > 0 {
		return math.MaxInt64 - int64(l)
	}
	return 0
}

// wayWithin is the best path of a peer that is up for session r, NoPath without
// one.
func (e *Engine) wayWithin(r *record, peer policy.PeerID) policy.PathID {
	up := func(id policy.PathID) bool {
		pp := &e.paths[id]
		return pp.peer == peer && pp.ifc != r.leg[0].ifc && e.reaches(id)
	}
	c, ok := e.tables.ChooseBy(r.service, &policy.Ask{Up: up, IfUp: func(policy.IfID) bool { return false },
		Poor: e.poor, Merit: e.merit})
	if !ok || c.Kind != policy.RoutePeer {
		return policy.NoPath
	}
	return c.Path
}

// shift moves leg 1 of session i to path id. late: packets may still come by the
// old path.
func (e *Engine) shift(i uint32, id policy.PathID, late bool) bool {
	r, pp := &e.recs[i], &e.paths[id]
	hop, ok := e.pathHop(pp, pp.remote)
	if !ok {
		e.stats.Add(DropHop, 1)
		return false
	}
	local, remote, err := e.cfg.Wayports.Alloc(e.cfg.Pathway[id], e.now)
	if err != nil {
		e.out.Release(hop)
		e.stats.Add(DropWayports, 1)
		return false
	}
	key := pool.Key{If: pp.ifc, Tuple: packet.Tuple{Src: pp.remote, Dst: pp.local, SrcPort: remote, DstPort: local,
		Family: pp.family, Proto: e.outerProto(r.proto, pp.transform)}}
	if !e.place(i, id, key, hop, true, late) {
		e.cfg.Wayports.Free(e.cfg.Pathway[id], local, remote, e.now, e.now, true)
		return false
	}
	e.nudge(i)
	return true
}

// place makes key, whose packets leave by next-hop hop, leg 1 of session i: the
// new way is written before the old one is given up. owned: the pair is of our
// pool. On failure the next-hop is released and nothing changed.
func (e *Engine) place(i uint32, id policy.PathID, key pool.Key, hop uint16, owned, late bool) bool {
	r := &e.recs[i]
	e.setSimple(r, shortNone)
	s, err := e.table.Insert(key, e.table.Action(r.slot[1]), i<<1|1)
	if err != nil {
		e.out.Release(hop)
		e.stats.Add(SessionRefusedFull, 1)
		e.settle(i)
		return false
	}
	e.leave(i, late)
	r.slot[1] = s
	r.leg[1] = leg{bits: legOf(kindSVR, roleInitiator) | legSignal, path: id, ifc: key.If, hop: hop, since: tickOf(e.now)}
	r.leg[1].put(legOwned, owned)
	e.redirect(r, 0, key.Tuple.Reverse())
	e.rebridge(r, 1, key.Proto)
	if e.ends(r, 0) {
		e.freshSalt(r, 0)
	}
	e.stats.Add(SessionsSteered, 1)
	return true
}

// leave gives up the pair and next-hop of leg 1 of session i, now or when late
// packets had their time.
func (e *Engine) leave(i uint32, late bool) {
	r := &e.recs[i]
	g := &r.leg[1]
	if g.hop != noHop {
		e.out.Release(g.hop)
	}
	if late && g.owned() && !e.late.full() {
		e.late.put(latePair{session: i, slot: r.slot[1], path: g.path, until: e.now + lateTime})
		return
	}
	old := e.table.Key(r.slot[1])
	e.freeWayports(r, 1, &old)
	e.table.Remove(r.slot[1], e.now)
}

// nudge signals on leg 1 of session i without waiting for a packet of the host:
// the peer may have more to say than we.
func (e *Engine) nudge(i uint32) {
	r := &e.recs[i]
	g := &r.leg[1]
	o := outgoing{i: i, d: 0, r: r, g: g, a: e.table.Action(r.slot[0])}
	e.compose(&o)
	e.meta.head.SetControl(wire.ControlKeepAlive)
	if e.sendControl(i, 1) {
		e.stats.Add(SentKeepAlive, 1)
	}
	g.due = 0
	if e.now-g.since.time(e.now) < nudges*nudgeEvery {
		g.due = tickOf(e.now + nudgeEvery)
	}
	e.arm(i)
}

// rehop gives the peers' legs on an interface whose addresses or gateways
// changed the next-hop that leads there now.
func (e *Engine) rehop(ifc uint16) {
	for i := range e.virginRec {
		r := &e.recs[i]
		for l := range r.leg {
			g := &r.leg[l]
			if !r.is(recUsed) || g.kind() != kindSVR || g.ifc != ifc || r.slot[l] == none || r.slot[1-l] == none {
				continue
			}
			k := e.table.Key(r.slot[l])
			hop, ok := e.nextHop(ifc, k.Src, k.Family, e.noGateway)
			if !ok {
				continue // the old one may still do
			}
			if g.hop != noHop {
				e.out.Release(g.hop)
			}
			if g.hop != hop {
				g.hop = hop
				e.redirect(r, 1-l, k.Tuple.Reverse())
			}
		}
	}
}
