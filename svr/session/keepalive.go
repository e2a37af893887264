package session

import (
	"waymark/svr/packet"
	"waymark/svr/wire"
)

// NAT keep-alives: a session that rests sends a control packet, which the peer
// drops, before a NAT on the way forgets it. They are no activity: a session
// ends when its time is over all the same.

// keepEvery is how often leg l of session r must send something, 0: never. The
// leaves are those of the path, and nat-keep-alive of the session-type; for what
// travels in UDP although it is none those of udp-transform come first.
func (e *Engine) keepEvery(r *record, l int) int64 {
	g := &r.leg[l]
	if g.kind() != kindSVR || g.path == noPath || r.slot[0] == none || r.slot[1] == none || !r.is(recAnswered) || r.tcp.closedBothWays() {
		return 0
	}
	a := &e.tables.Paths[g.path].Adjacency
	if !a.UDPTransform.NATKeepAlive && !a.NATKeepAlive.Auto {
		return 0 // before the slot is read
	}
	outer := uint8(packet.ProtoUDP)
	if r.proto == packet.ProtoTCP { // all else travels in UDP
		outer = e.table.Proto(r.slot[l])
	}
	switch {
	case outer != r.proto && a.UDPTransform.NATKeepAlive:
		return int64(a.UDPTransform.NATKeepAliveTimeout)
	case !a.NATKeepAlive.Auto || !e.tables.KeepAlive(r.proto, r.port[1]):
		return 0
	case outer == packet.ProtoTCP:
		return int64(a.NATKeepAlive.TCPInterval)
	}
	return int64(a.NATKeepAlive.UDPInterval)
}

// rested returns how long leg l of session r has sent nothing.
func (e *Engine) rested(r *record, l int) int64 {
	_, _, seen, _ := e.table.Counters(r.slot[1-l])
	return max(e.now-max(seen, r.begun.time(e.now)), 0)
}

// keepAt is when leg l of session r wants its next keep-alive.
func (e *Engine) keepAt(r *record, l int) int64 {
	every := e.keepEvery(r, l)
	if every == 0 {
		return never
	}
	rested := e.rested(r, l)
	return e.now - rested + every*(rested/every+1)
}

// keepAlive sends what is due; a timer that came for another reason, much later,
// sends nothing.
func (e *Engine) keepAlive(i uint32) {
	r := &e.recs[i]
	for l := range r.leg {
		every := e.keepEvery(r, l)
		if every == 0 {
			continue
		}
		if rested := e.rested(r, l); rested < every || rested%every > every/4 {
			continue
		}
		m := &e.meta
		m.head, m.body = wire.Header{}, wire.Payload{}
		m.head.SetSecurityID(keyIndex)
		m.head.SetControl(wire.ControlKeepAlive)
		if e.sendControl(i, l) {
			e.stats.Add(SentKeepAlive, 1)
		}
	}
}

const never = int64(1<<63 - 1)
