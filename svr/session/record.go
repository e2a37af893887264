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
	kind kind
	role role
	// signal: packets that leave on this leg carry metadata.
	signal bool
	// owned: the wayport pair is from our pool.
	owned bool
	// announce: a lost peer asked for names, so reverse metadata carries them.
	announce bool
	// unanswered counts forward metadata packets since our last answer.
	unanswered uint8
	path       policy.PathID
	ifc, hop   uint16
	sent       uint16 // metadata packets of this handshake
	checked    uint16 // second of the engine's clock of the last health check by inactivity, 0: none
	// since is when this handshake began; for a responder when its first
	// reverse metadata left, 0 before.
	since stamp
	// due is when an unanswered forward packet must be answered by a control
	// packet, 0 when nothing waits.
	due stamp
	// asked is when an enable was last believed, told when a disable was last
	// sent, 0 for never.
	asked, told stamp
}

// record is what Go alone knows of a session. It holds no pointers, so the
// collector never looks inside, and its size is part of the memory budget.
type record struct {
	uuid    [16]byte
	inner   packet.Tuple // forward direction as the hosts see it
	tenant  policy.TenantID
	service policy.ServiceID
	// security is the service whose security protects the payload: the one
	// that metadata names.
	security policy.ServiceID
	route    uint16
	natIf    uint16 // wan interface of a NAT leg
	natPort  uint16
	// payload is the security element of the service, noPayload without.
	payload   uint16
	heard     [2]bool // a packet arrived on leg i
	used      bool
	answered  bool
	recovered bool
	simple    short     // directions that are established and need nothing but new addresses
	lent      bool      // the lane in the kernel has it while it may
	bridge    bool      // two peers, two forms: see bridge.go
	slot      [2]uint32 // slot[i]: packets that arrive on leg i
	leg       [2]leg
	tcp       tcpState
	idle      uint32 // idle timeout, milliseconds
	initial   uint32 // timeout until both directions were seen, milliseconds
	key       uint32 // keys of a GCM session, none without
	next      uint32 // free list, or list of unanswered sessions
	prev      uint32
	created   age
	// active is when a packet of either direction last passed.
	active int64
}

const noPayload = ^uint16(0)

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

// allocate returns a zeroed record. When the pool is full the oldest
// unanswered session gives way if it is older than one second. Its slots rest
// for a second, so it is a later one that finds room: who comes into a full
// table is refused before any work is done for it.
func (e *Engine) allocate() (uint32, bool) {
	if e.table.Free() < 2 {
		e.stats.Add(SessionRefusedFull, 1)
		if s := e.table.Stats(); s.Resting <= max(s.Capacity/turnover, leastTurnover) {
			e.giveWay()
		}
		return none, false
	}
	if i, ok := e.takeRecord(); ok {
		return i, true
	}
	if !e.giveWay() {
		e.stats.Add(SessionRefusedFull, 1)
		return none, false
	}
	return e.takeRecord()
}

// giveWay ends the oldest unanswered session if it is older than one second.
func (e *Engine) giveWay() bool {
	old := e.unanswered.head
	if old == none || e.now-e.recs[old].created.time(e.now) < second {
		return false
	}
	e.stats.Add(SessionGaveWay, 1)
	e.remove(old)
	return true
}

func (e *Engine) takeRecord() (uint32, bool) {
	i := e.freeRec
	switch {
	case i != none:
		e.freeRec = e.recs[i].next
	case int(e.virginRec) < len(e.recs):
		i = e.virginRec
		e.virginRec++
	default:
		return none, false
	}
	e.recs[i] = record{
		used: true, created: ageOf(e.now), active: e.now, key: none, next: none, prev: none,
		slot: [2]uint32{none, none}, payload: noPayload,
	}
	e.recs[i].leg[0].path, e.recs[i].leg[1].path = policy.NoPath, policy.NoPath
	e.recs[i].leg[0].hop, e.recs[i].leg[1].hop = noHop, noHop
	e.live++
	e.peak = max(e.peak, e.live)
	e.pushUnanswered(i)
	return i, true
}

// noHop marks a leg whose next-hop is not known yet.
const noHop = ^uint16(0)

// publish puts both directions into the table and the session into its
// indices. On failure the record is removed again.
func (e *Engine) publish(i uint32, key *[2]pool.Key) bool {
	r := &e.recs[i]
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
	e.byUUID.Add(e.hashUUID(&r.uuid), i)
	e.byContext.Add(e.hashContext(&r.inner), i)
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

func (e *Engine) hashContext(t *packet.Tuple) uint64 {
	return maphash.Comparable(e.seed, canonical(t))
}

// findUUID returns the session with this UUID.
func (e *Engine) findUUID(u *[16]byte) uint32 {
	found := none
	e.byUUID.Each(e.hashUUID(u), func(i uint32) bool {
		if e.recs[i].uuid == *u {
			found = i
		}
		return found == none
	})
	return found
}

// findContext returns the session whose inner tuple is t, or its mirror.
func (e *Engine) findContext(t *packet.Tuple) (i uint32, mirrored bool) {
	found := none
	e.byContext.Each(e.hashContext(t), func(i uint32) bool {
		if e.recs[i].inner == *t {
			found, mirrored = i, false
			return false
		}
		if e.recs[i].inner == t.Reverse() {
			found, mirrored = i, true
		}
		return found == none
	})
	return found, mirrored
}

// remove ends session i and gives everything back.
func (e *Engine) remove(i uint32) {
	r := &e.recs[i]
	if !r.used {
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
		e.byContext.Remove(e.hashContext(&r.inner), i)
		if r.leg[0].kind == kindSVR || r.leg[1].kind == kindSVR {
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
	if !r.answered {
		e.unlinkUnanswered(i)
	}
	r.used = false
	r.slot = [2]uint32{none, none}
	r.next = e.freeRec
	e.freeRec = i
	e.live--
}

// freeWayports returns the pair of leg l, whose packets arrive with key k.
func (e *Engine) freeWayports(r *record, l int, k *pool.Key) {
	g := &r.leg[l]
	if !g.owned {
		return
	}
	e.cfg.Wayports.Free(e.cfg.Pathway[g.path], k.DstPort, k.SrcPort, r.active, e.now, r.tcp.closedBothWays())
	g.owned = false
}
