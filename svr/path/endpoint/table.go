// Package endpoint keeps where a peer can be reached: a fixed table of proven
// endpoints and two places for those that have yet to prove themselves. Only
// authentic, fresh packets may touch it; a source that nobody knew is believed
// after it answered a challenge from there. It is pure and allocates nothing.
package endpoint

import "net/netip"

// Sizes of a table.
const (
	Entries   = 8
	Probation = 2
)

// State of an endpoint.
type State uint8

// The states.
const (
	Unproven State = iota // configured, never answered
	Valid                 // answered a challenge
	Failed                // did not answer any more
)

// String names the state.
func (s State) String() string { return [...]string{"unproven", "valid", "failed"}[s%3] }

// Entry is one endpoint.
type Entry struct {
	Addr         netip.AddrPort
	Static       bool // configured: never evicted
	State        State
	SRTT, RTTVar int64 // ns, 0: not measured
	Loss         int32 // of probes, thousandths, rolling
	Heard        int64 // last authentic packet from there
	Pong         int64 // last answer to a packet that we sent there
	probed       int64 // last probe
	awaiting     bool  // that probe has no answer yet
	better       uint8 // rounds in a row that it would have been the better choice
}

// probation is a source that has to answer.
type probation struct {
	addr           netip.AddrPort
	since, asked   int64
	received, sent int32 // bytes: never more than 3 × as many out as in
}

// Times in ns.
const (
	second = int64(1e9)
	ms     = int64(1e6)

	// newEvery and newBurst bound how fast unknown sources enter probation.
	newEvery = second
	newBurst = 4
	// askEvery is the least time between two challenges to one source.
	askEvery = 200 * ms
	// rounds in a row that a rival must be better.
	rounds = 3
	// holdFirst is how long a path that was left is not gone back to; it doubles
	// per switch to holdMost and halves per quiet period.
	holdFirst = 2 * second
	holdMost  = 3600 * second
)

// Table is the endpoints of one path. The zero value has none; use New.
type Table struct {
	entries   [Entries]Entry
	count     int8
	best      int8 // index, -1: none
	previous  int8 // the best before, -1: none
	left      int64
	holdUntil int64
	hold      int64
	period    int64
	waiting   [Probation]probation
	tokens    int32
	refilled  int64
	counts    Counts
}

// Counts of a table since the start.
type Counts struct {
	Learned, Refused, Evicted, Switched, Limited uint32
}

// New makes a table of configured endpoints. period is the time between packets
// of the peer.
func New(static []netip.AddrPort, period, now int64) *Table {
	t := &Table{best: -1, previous: -1, hold: holdFirst, period: period, tokens: newBurst, refilled: now}
	for _, a := range static[:min(len(static), Entries-1)] {
		t.entries[t.count] = Entry{Addr: a, Static: true}
		t.count++
	}
	if t.count > 0 {
		t.best = 0
	}
	return t
}

// Recall enters where the peer was before we started again. It is believed
// when it answers.
func (t *Table) Recall(a netip.AddrPort) {
	if int(t.count) < Entries && t.find(a) < 0 {
		t.entries[t.count] = Entry{Addr: a}
		if t.best < 0 {
			t.best = t.count
		}
		t.count++
	}
}

// SetPeriod tells the time between packets of the peer.
func (t *Table) SetPeriod(period int64) { t.period = max(period, 50*ms) }

// Best returns where to send.
func (t *Table) Best() (netip.AddrPort, bool) {
	if t.best < 0 {
		return netip.AddrPort{}, false
	}
	return t.entries[t.best].Addr, true
}

// Counts returns what happened so far.
func (t *Table) Counts() Counts { return t.counts }

// List returns the endpoints, best first in no other order, appended to dst.
func (t *Table) List(dst []Entry) []Entry { return append(dst, t.entries[:t.count]...) }

// find returns the index of an endpoint, -1 if it is not in the table.
func (t *Table) find(a netip.AddrPort) int {
	for i := range t.entries[:t.count] {
		if t.entries[i].Addr == a {
			return i
		}
	}
	return -1
}

// Heard notes an authentic, fresh packet of so many bytes. challenge: nobody
// knows the source, ask it with at most room bytes.
func (t *Table) Heard(from netip.AddrPort, bytes int, now int64) (challenge bool, room int) {
	if i := t.find(from); i >= 0 {
		t.entries[i].Heard = now
		return false, 0
	}
	w := t.wait(from, now)
	if w == nil {
		t.counts.Limited++
		return false, 0
	}
	w.received += int32(min(bytes, 1<<16))
	if now-w.asked < askEvery && w.asked != 0 {
		return false, 0
	}
	return true, int(3*w.received - w.sent)
}

// wait returns the place of a source on probation, the older one's if it is new.
func (t *Table) wait(from netip.AddrPort, now int64) *probation {
	oldest := &t.waiting[0]
	for i := range t.waiting {
		w := &t.waiting[i]
		if w.addr == from {
			return w
		}
		if w.since < oldest.since {
			oldest = w
		}
	}
	if !t.take(now) {
		return nil
	}
	*oldest = probation{addr: from, since: now}
	return oldest
}

// take spends one of the tokens for new sources.
func (t *Table) take(now int64) bool {
	if n := (now - t.refilled) / newEvery; n > 0 {
		t.tokens = int32(min(int64(t.tokens)+n, newBurst))
		t.refilled += n * newEvery
	}
	if t.tokens == 0 {
		return false
	}
	t.tokens--
	return true
}

// Asked notes that a challenge of so many bytes went to a source on probation.
func (t *Table) Asked(to netip.AddrPort, bytes int, now int64) {
	for i := range t.waiting {
		if w := &t.waiting[i]; w.addr == to {
			w.asked = now
			w.sent += int32(bytes)
		}
	}
}

// Proved notes that from answered a packet that was sent there, after rtt. A
// source on probation, or one that nobody knew, becomes an endpoint if there is
// room for it.
func (t *Table) Proved(from netip.AddrPort, rtt, now int64) {
	i := t.find(from)
	if i < 0 {
		if i = t.admit(from, now); i < 0 {
			t.counts.Refused++
			return
		}
	}
	e := &t.entries[i]
	e.State, e.Pong, e.Heard = Valid, now, now
	e.measure(rtt)
	if e.awaiting {
		e.awaiting = false
		e.Loss -= e.Loss / 8
	}
	if t.best < 0 {
		t.best = int8(i)
	}
}

// measure keeps the smoothed round trip (RFC 6298).
func (e *Entry) measure(rtt int64) {
	if rtt <= 0 {
		return
	}
	if e.SRTT == 0 {
		e.SRTT, e.RTTVar = rtt, rtt/2
		return
	}
	d := e.SRTT - rtt
	e.RTTVar += (max(d, -d) - e.RTTVar) / 4
	e.SRTT += (rtt - e.SRTT) / 8
}

// admit gives a proven source a place of its own, -1 without room.
func (t *Table) admit(from netip.AddrPort, now int64) int {
	for k := range t.waiting {
		if t.waiting[k].addr == from {
			t.waiting[k] = probation{}
		}
	}
	i := int(t.count)
	if i < Entries {
		t.count++
	} else if i = t.victim(now); i < 0 {
		return -1
	} else {
		t.counts.Evicted++
		if int(t.previous) == i {
			t.previous = -1
		}
	}
	t.entries[i] = Entry{Addr: from}
	t.counts.Learned++
	return i
}

// trusted: it answered or spoke within 2.2 periods.
func (t *Table) trusted(e *Entry, now int64) bool {
	return e.State == Valid && now-max(e.Pong, e.Heard) <= t.period*22/10
}

// victim returns which endpoint gives way, -1 if none does: failed learned ones
// first, the oldest of them; then learned ones without trust, the worst. Never
// a configured one, the best, or the best before within two periods.
func (t *Table) victim(now int64) int {
	found := -1
	for i := range t.entries[:t.count] {
		e := &t.entries[i]
		switch {
		case e.Static, i == int(t.best), i == int(t.previous) && now-t.left <= 2*t.period, t.trusted(e, now):
		case found < 0, t.yields(e, &t.entries[found]):
			found = i
		}
	}
	return found
}

// yields: a gives way before b.
func (t *Table) yields(a, b *Entry) bool {
	if (a.State == Failed) != (b.State == Failed) {
		return a.State == Failed
	}
	if a.State == Failed {
		return a.Pong < b.Pong
	}
	return a.score() > b.score()
}

// score of an endpoint, smaller is better: round trip, its spread, and 100 ms
// for every 5 % of loss.
func (e *Entry) score() int64 {
	return e.SRTT + 4*e.RTTVar + int64(e.Loss)*2*ms
}
