package session

import (
	"waymark/svr/packet"
	"waymark/svr/wire"
)

// control acts on a control message that arrived on leg d of session i. It
// never passes on: control packets end here.
func (e *Engine) control(p *packet.Packet, i uint32, d int, m *receivedMeta) {
	r := &e.recs[i]
	switch m.h.Control {
	case wire.ControlKeepAlive:
		e.stats.Add(ReceivedKeepAlive, 1)
		if m.h.Has.Has(wire.TypeHealthCheck) {
			e.stats.Add(ReceivedHealth, 1)
			e.answerHealth(i, d)
			return
		}
		if (m.p.Forward || m.p.Reverse) && e.believe(p, i, d, m) == beliefReplace {
			e.replace(p, i, m) // an echoed challenge without data
		}
	case wire.ControlEnable:
		e.stats.Add(ReceivedEnable, 1)
		e.enabled(i, d)
	case wire.ControlDisable:
		e.stats.Add(ReceivedDisable, 1)
		if e.bound(r, d, m) && r.leg[d].role() == roleInitiator {
			r.put(recHeard<<d, true)
			e.handshakeDone(i, d)
		}
	case wire.ControlDelete:
		e.stats.Add(ReceivedDelete, 1)
		if e.bound(r, d, m) {
			e.sendDelete(i, 1-d)
			e.remove(i)
		}
	case wire.ControlHealth:
		e.stats.Add(ReceivedHealthAnswer, 1)
		if e.bound(r, d, m) {
			e.healthy(i, d)
		}
	default:
		e.stats.Add(DropControl, 1)
	}
}

// bound says whether TLV 6 and the context of a control message match the flow
// that received it (docs/wire.md 3).
func (e *Engine) bound(r *record, d int, m *receivedMeta) bool {
	forward := r.leg[d].role() == roleResponder // the sender is the initiator
	ok := m.p.Has.Has(wire.TypeUUID) && m.p.UUID == r.uuid &&
		m.p.Context == e.ctx(r, d) && m.p.Forward == forward && m.p.Reverse != forward
	if !ok {
		e.stats.Add(DropUnbound, 1)
	}
	return ok
}

// enabled: the peer of leg d lost the flow and asks for a new handshake. That
// is all it gets, at most every 2 s.
func (e *Engine) enabled(i uint32, d int) {
	r := &e.recs[i]
	g := &r.leg[d]
	if !e.elapsed(g.asked, enableGap) {
		e.stats.Add(DropRateLimit, 1)
		return
	}
	if e.cfg.Watcher != nil && g.path != noPath {
		e.cfg.Watcher.Forgotten(g.path)
	}
	// A handshake that nobody answered goes on and ends as it would have.
	waiting := g.role() == roleInitiator && g.signal() && !r.heard(d)
	g.asked, g.due = beatOf(e.now), 0
	g.put(legSignal, true)
	e.setSimple(r, shortNone)
	if waiting {
		return
	}
	g.count = 0
	if g.role() == roleInitiator {
		g.since = tickOf(e.now)
	} else {
		g.since = 0
		g.put(legAnnounce, true)
	}
	if e.ends(r, 1-d) {
		e.freshSalt(r, 1-d)
	}
}

// Least time between enables that are believed and between disables that count
// of packets alone brings about, for each leg.
const (
	enableGap  = 2 * second
	disableGap = second / 20
)

// elapsed says whether gap nanoseconds passed since then, or it never was.
func (e *Engine) elapsed(then beat, gap int64) bool {
	return then == 0 || e.now-then.time(e.now) >= gap
}

// sendDisable answers forward metadata when no reverse packet does.
func (e *Engine) sendDisable(i uint32, d int) {
	r := &e.recs[i]
	g := &r.leg[d]
	g.count, g.due, g.spoke = 0, 0, beatOf(e.now)
	m := &e.meta
	wire.Disable(&m.head, &m.body, keyIndex, r.uuid, e.ctx(r, 1-d))
	if e.sendControl(i, d) {
		e.stats.Add(SentDisable, 1)
		since := g.since
		e.signalled(i, g)
		if r.key != none {
			g.since = since // no TLV 46 in it: our key is still to be told
		}
	}
}

// sendDelete tells the peer of leg l that the session is over.
func (e *Engine) sendDelete(i uint32, l int) {
	r := &e.recs[i]
	g := &r.leg[l]
	if g.kind() != kindSVR {
		return
	}
	m := &e.meta
	wire.Delete(&m.head, &m.body, keyIndex, r.uuid, e.ctx(r, 1-l), g.role() == roleInitiator)
	if e.sendControl(i, l) {
		e.stats.Add(SentDelete, 1)
	}
}

// sendControl sends the message in the scratch out on leg l of session i.
func (e *Engine) sendControl(i uint32, l int) bool {
	r := &e.recs[i]
	t := e.table.Key(r.slot[l]).Reverse()
	seq, ack := r.tcp.end[1-l], r.tcp.ack[1-l]
	return e.sendMessage(t, &r.leg[l], seq, ack)
}

// sendMessage builds the packet of the control message in the scratch.
func (e *Engine) sendMessage(t packet.Tuple, g *leg, seq, ack uint32) bool {
	p := e.out.Buffer(false)
	if p == nil {
		e.stats.Add(DropBuffer, 1)
		return false
	}
	m := &e.meta
	send := e.paths[g.path].send
	b := e.sealMetadata(wire.AppendMetadata(m.buf[:0], &m.head, &m.body), send)
	if !buildData(p, t, seq, ack, b) {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	if !e.appendDigest(p, send) {
		return false
	}
	p.Finish()
	e.out.Send(p, g.ifc, g.hop)
	return true
}

// buildData writes a packet of tuple t with the given data into p.
func buildData(p *packet.Packet, t packet.Tuple, seq, ack uint32, data []byte) bool {
	var room []byte
	if t.Proto == packet.ProtoTCP {
		room = packet.BuildTCP(p, t, 64, 0, seq, ack, flagACK, 65535, len(data))
	} else {
		room = packet.Build(p, t, 64, 0, len(data))
	}
	if room == nil {
		return false
	}
	copy(room, data)
	return true
}
