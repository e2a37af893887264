package session

import (
	"encoding/binary"

	"waymark/svr/packet"
)

// recordsOf is how many records a session of this family takes: addresses of
// IPv6 lie in a second one, as their directions take a second slot, so that a
// pool holds any mix.
func recordsOf(family uint8) int {
	if family == 6 {
		return 2
	}
	return 1
}

// setInner notes the tuple of session i. An IPv6 one needs record more.
func (e *Engine) setInner(i, more uint32, t *packet.Tuple) {
	r := &e.recs[i]
	r.port, r.proto = [2]uint16{t.SrcPort, t.DstPort}, t.Proto
	if t.Family != 6 {
		r.addr = [2]uint32{binary.NativeEndian.Uint32(t.Src[:]), binary.NativeEndian.Uint32(t.Dst[:])}
		return
	}
	r.put(recSix, true)
	r.addr[0] = more
	m := &e.recs[more]
	*m = record{bits: recMore, addr: [2]uint32{i}, uuid: t.Src}
	for w := range 2 {
		m.tcp.end[w] = binary.NativeEndian.Uint32(t.Dst[4*w:])
		m.tcp.ack[w] = binary.NativeEndian.Uint32(t.Dst[8+4*w:])
	}
}

// inner is the tuple of a session in forward direction, as the hosts see it.
func (e *Engine) inner(r *record) (t packet.Tuple) {
	t.SrcPort, t.DstPort, t.Proto, t.Family = r.port[0], r.port[1], r.proto, 4
	if !r.is(recSix) {
		binary.NativeEndian.PutUint32(t.Src[:], r.addr[0])
		binary.NativeEndian.PutUint32(t.Dst[:], r.addr[1])
		return t
	}
	m := &e.recs[r.addr[0]]
	t.Src, t.Family = m.uuid, 6
	for w := range 2 {
		binary.NativeEndian.PutUint32(t.Dst[4*w:], m.tcp.end[w])
		binary.NativeEndian.PutUint32(t.Dst[8+4*w:], m.tcp.ack[w])
	}
	return t
}

// whole tells whether record i, if it is of an IPv6 session, has its second one.
func (e *Engine) whole(i uint32) bool {
	r := &e.recs[i]
	if !r.is(recSix) {
		return true
	}
	more := r.addr[0]
	return uint64(more) < uint64(len(e.recs)) && e.recs[more].is(recMore) && e.recs[more].addr[0] == i
}

// orphan tells whether record i holds addresses that belong to no session.
func (e *Engine) orphan(i uint32) bool {
	owner := e.recs[i].addr[0]
	return uint64(owner) >= uint64(len(e.recs)) || !e.recs[owner].is(recUsed) || !e.recs[owner].is(recSix) ||
		e.recs[owner].addr[0] != i
}
