package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// Row is one direction of a session as `show sessions` prints it.
type Row struct {
	UUID      [16]byte
	Reverse   bool // the direction of the answers
	Key       pool.Key
	To        packet.Tuple // addresses and ports it leaves with
	Egress    uint16
	Tenant    policy.TenantID
	Service   policy.ServiceID
	Path      policy.PathID // the peer path it leaves on, NoPath for none
	Encrypted bool
	Recovered bool
	Answered  bool
	Closed    bool
	Signal    bool  // packets of this direction carry metadata
	Timeout   int64 // nanoseconds until it ends when nothing comes
	Uptime    int64 // nanoseconds
	Packets   uint64
	Bytes     uint64
}

// Sessions calls f for both directions of every session until f returns false.
// The row is reused between calls.
func (e *Engine) Sessions(f func(*Row) bool) {
	var row Row
	for i := range e.recs[:e.virginRec] {
		r := &e.recs[i]
		if !r.is(recUsed) || r.slot[0] == none || r.slot[1] == none {
			continue
		}
		for d := range r.slot {
			e.fillRow(&row, r, d)
			if !f(&row) {
				return
			}
		}
	}
}

func (e *Engine) fillRow(row *Row, r *record, d int) {
	e.refresh(r)
	a := e.table.Action(r.slot[d])
	packets, bytes, _, _ := e.table.Counters(r.slot[d])
	g := &r.leg[1-d]
	*row = Row{
		UUID: r.uuid, Reverse: d == 1, Key: e.table.Key(r.slot[d]), To: a.To, Egress: g.ifc,
		Tenant: r.tenant, Service: r.service, Path: g.path,
		Encrypted: r.is(recProtected) && e.payload(r).Encrypts(),
		Recovered: r.is(recRecovered), Answered: r.is(recAnswered), Closed: r.tcp.closedBothWays(),
		Signal: g.kind() == kindSVR && g.signal(), Timeout: e.deadline(r) - e.now, Uptime: max(e.now-r.begun.time(e.now), 0),
		Packets: packets, Bytes: bytes,
	}
}

// Capacity is the use of the session pool in records: an IPv4 session takes one,
// an IPv6 one two.
type Capacity struct{ Entries, Capacity, Highest, Refused int }

// Capacity returns the use of the session pool.
func (e *Engine) Capacity() Capacity {
	return Capacity{
		Entries: e.taken, Capacity: len(e.recs), Highest: e.peak,
		Refused: int(e.stats[SessionRefusedFull] + e.stats[SessionGaveWay]),
	}
}

// Fragments returns how many packets are being joined and how many could be:
// IP fragments and fabric fragments together.
func (e *Engine) Fragments() (used, capacity int) {
	u1, c1 := e.host.InUse()
	u2, c2 := e.fabric.InUse()
	return u1 + u2, c1 + c2
}

// PathMTU returns what fits on a path now, in bytes of outer IP packet.
func (e *Engine) PathMTU(id policy.PathID) int { return e.pathMTU(id) }

// Reserved is the memory of every record and index (pool.Reserve).
func (e *Engine) Reserved() [][]byte {
	list := [][]byte{pool.Reserve(e.recs)}
	return append(append(append(list, e.byUUID.Reserved()...), e.byContext.Reserved()...), e.wheel.Reserved()...)
}
