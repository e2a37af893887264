package session

import (
	"errors"
	"hash/maphash"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// kind is what a leg leads to.
type kind uint8

const (
	kindNative kind = iota // a LAN or an ISP, addresses as the hosts know them
	kindNAT                // an ISP, behind one of our addresses
	kindSVR                // a peer
)

// role is who signals in which direction on an SVR leg.
type role uint8

const (
	roleNone      role = iota
	roleInitiator      // we send forward metadata; our wayport is even
	roleResponder      // we send reverse metadata; our wayport is odd
)

// leg is one side of a session.
type leg struct {
	bits legBits
	// count is of metadata packets without answer: an initiator counts those that
	// it sent in this handshake, a responder those that came since its last answer.
	count    uint8
	path     policy.PathID
	ifc, hop uint16
	// since is when this handshake began; for a responder when its first
	// reverse metadata left, 0 before.
	since tick
	// due is when an unanswered forward packet must be answered by a control
	// packet, 0 when nothing waits.
	due tick
	// asked is when an enable was last believed, spoke when a disable or a health
	// check last left, 0 for never.
	asked, spoke beat
}

// record is what Go alone knows of a session: two cache lines. It holds no
// pointers, so the collector never looks inside, and its size is the largest
// part of the memory budget after the slots: what slots or configuration tell
// does not stand here again.
type record struct {
	uuid    [16]byte
	addr    [2]uint32 // of the inner tuple: setInner, inner
	port    [2]uint16
	slot    [2]uint32 // slot[i]: packets that arrive on leg i
	key     uint32    // keys of a GCM session, none without
	next    uint32    // free list, or list of unanswered sessions
	prev    uint32
	begun   age
	active  stamp // when a packet of either direction last passed
	tenant  policy.TenantID
	service policy.ServiceID
	// security is the service whose security protects the payload: the one
	// that metadata names.
	security policy.ServiceID
	natIf    uint16 // interface whose address a NAT leg has
	natPort  uint16
	bits     recBits
	proto    uint8 // of the inner tuple
	tcp      tcpState
	leg      [2]leg
}

// list is a doubly linked list through record.next and record.prev.
type list struct{ head, tail uint32 }

func (e *Engine) pushUnanswered(i uint32) {
	r := &e.recs[i]
	r.next, r.prev = none, e.unanswered.tail
	if e.unanswered.tail != none {
		e.recs[e.unanswered.tail].next = i
	} else {
		e.unanswered.head = i
	}
	e.unanswered.tail = i
}

func (e *Engine) unlinkUnanswered(i uint32) {
	r := &e.recs[i]
	if r.prev != none {
		e.recs[r.prev].next = r.next
	} else {
		e.unanswered.head = r.next
	}
	if r.next != none {
		e.recs[r.next].prev = r.prev
	} else {
		e.unanswered.tail = r.prev
	}
	r.next, r.prev = none, none
}

// A flood may turn over an eighth of the table in a second, or so many slots
// where that is more: no more rest at once because sessions gave way.
const (
	turnover      = 8
	leastTurnover = 2048
)

// allocate returns a record for a session with this inner tuple. When the pool is
// full the oldest unanswered session gives way if it is older than one second. Its
// slots rest for a second, so it is a later one that finds room: who comes into a
// full table is refused before any work is done for it.
func (e *Engine) allocate(inner *packet.Tuple) (uint32, bool) {
	if e.table.Free() < 2 {
		e.stats.Add(SessionRefusedFull, 1)
		if s := e.table.Stats(); s.Resting <= max(s.Capacity/turnover, leastTurnover) {
			e.giveWay()
		}
		return none, false
	}
	for need := recordsOf(inner.Family); len(e.recs)-e.taken < need; {
		if !e.giveWay() {
			e.stats.Add(SessionRefusedFull, 1)
			return none, false
		}
	}
	return e.takeRecord(inner), true
}

// giveWay ends the oldest unanswered session if it is older than one second.
func (e *Engine) giveWay() bool {
	old := e.unanswered.head
	if old == none || e.now-e.recs[old].begun.time(e.now) < second {
		return false
	}
	e.stats.Add(SessionGaveWay, 1)
	e.remove(old)
	return true
}

// takeRecord takes the records of a session; there must be so many.
func (e *Engine) takeRecord(inner *packet.Tuple) uint32 {
	i, more := e.popRecord(), none
	if recordsOf(inner.Family) > 1 {
		more = e.popRecord()
	}
	e.recs[i] = record{
		bits: recUsed, begun: ageOf(e.now), active: stampOf(e.now), key: none, next: none, prev: none,
		slot: [2]uint32{none, none},
	}
	e.recs[i].leg[0].path, e.recs[i].leg[1].path = policy.NoPath, policy.NoPath
	e.recs[i].leg[0].hop, e.recs[i].leg[1].hop = noHop, noHop
	e.setInner(i, more, inner)
	e.live++
	e.peak = max(e.peak, e.taken)
	e.pushUnanswered(i)
	return i
}

func (e *Engine) popRecord() uint32 {
	e.taken++
	i := e.freeRec
	if i == none {
		e.virginRec++
		return e.virginRec - 1
	}
	e.freeRec = e.recs[i].next
	return i
}

func (e *Engine) pushRecord(i uint32) {
	e.recs[i].bits = 0
	e.recs[i].next = e.freeRec
	e.freeRec = i
	e.taken--
}

// noHop marks a leg whose next-hop is not known yet.
const noHop = ^uint16(0)

// publish puts both directions into the table and the session into its
// indices. On failure the record is removed again.
func (e *Engine) publish(i uint32, key *[2]pool.Key) bool {
	r := &e.recs[i]
	e.table.Prefetch(&key[1])
	hashUUID, hashContext := e.hashUUID(&r.uuid), e.hashContext(r)
	e.byUUID.Prefetch(hashUUID)
	e.byContext.Prefetch(hashContext)
	for d := range key {
		s, err := e.table.Insert(key[d], e.action(r, d, key[1-d].Tuple.Reverse()), i<<1|uint32(d))
		if err != nil {
			e.stats.Add(SessionRefusedFull, 1)
			e.freeWayports(r, 0, &key[0])
			e.freeWayports(r, 1, &key[1])
			e.remove(i)
			if errors.Is(err, pool.ErrFull) {
				e.giveWay() // removed slots rest a second: room for a later one
			}
			return false
		}
		r.slot[d] = s
	}
	e.byUUID.Add(hashUUID, i)
	e.byContext.Add(hashContext, i)
	e.arm(i)
	return true
}

// canonical returns the tuple in the order that both directions share, so that a
// session is found by its context and by the mirrored one.
func canonical(t *packet.Tuple) packet.Tuple {
	for k := range t.Src {
		if t.Src[k] != t.Dst[k] {
			if t.Src[k] < t.Dst[k] {
				return *t
			}
			return t.Reverse()
		}
	}
	if t.SrcPort <= t.DstPort {
		return *t
	}
	return t.Reverse()
}

func (e *Engine) hashUUID(u *[16]byte) uint64 { return maphash.Comparable(e.seed, *u) }

func (e *Engine) hashTuple(t *packet.Tuple) uint64 {
	return maphash.Comparable(e.seed, canonical(t))
}

func (e *Engine) hashContext(r *record) uint64 {
	t := e.inner(r)
	return e.hashTuple(&t)
}

// findUUID returns the session with this UUID, whose hash is h.
func (e *Engine) findUUID(u *[16]byte, h uint64) uint32 {
	found := none
	e.byUUID.Each(h, func(i uint32) bool {
		if e.recs[i].uuid == *u {
			found = i
		}
		return found == none
	})
	return found
}

// findContext returns the session whose inner tuple is t, or its mirror.
func (e *Engine) findContext(t *packet.Tuple) (i uint32, mirrored bool) {
	found, back := none, t.Reverse()
	e.byContext.Each(e.hashTuple(t), func(i uint32) bool {
		switch e.inner(&e.recs[i]) {
		case *t:
			found, mirrored = i, false
			return false
		case back:
			found, mirrored = i, true
		}
		return found == none
	})
	return found, mirrored
}

// remove ends session i and gives everything back.
func (e *Engine) remove(i uint32) {
	r := &e.recs[i]
	if !r.is(recUsed) {
		return
	}
	e.refresh(r)
	for l := range r.leg {
		if r.slot[l] != none {
			k := e.table.Key(r.slot[l])
			e.freeWayports(r, l, &k)
		}
		if r.leg[l].hop != noHop {
			e.out.Release(r.leg[l].hop)
		}
	}
	for _, s := range r.slot {
		if s != none {
			e.table.Remove(s, e.now)
		}
	}
	if r.slot[0] != none && r.slot[1] != none {
		h := e.hashUUID(&r.uuid)
		e.byUUID.Remove(h, i)
		e.byContext.Remove(e.hashContext(r), i)
		if r.leg[0].kind() == kindSVR || r.leg[1].kind() == kindSVR {
			e.ended.put(h, e.now)
		}
	}
	e.freeNAT(r)
	e.keys.put(r.key)
	e.moves.forget(i)
	e.forgetLate(i)
	e.asked.forget(i)
	e.unhold(i)
	e.wheel.Cancel(i)
	if !r.is(recAnswered) {
		e.unlinkUnanswered(i)
	}
	if r.is(recSix) {
		e.pushRecord(r.addr[0])
	}
	r.slot = [2]uint32{none, none}
	e.pushRecord(i)
	e.live--
}

// freeWayports returns the pair of leg l, whose packets arrive with key k.
func (e *Engine) freeWayports(r *record, l int, k *pool.Key) {
	g := &r.leg[l]
	if !g.owned() {
		return
	}
	e.cfg.Wayports.Free(e.cfg.Pathway[g.path], k.DstPort, k.SrcPort, r.active.time(e.now), e.now, r.tcp.closedBothWays())
	g.put(legOwned, false)
}
