package endpoint

import "net/netip"

// Forget makes every learned endpoint prove itself again: the peer restarted.
func (t *Table) Forget() {
	for i := range t.entries[:t.count] {
		if e := &t.entries[i]; !e.Static && e.State == Valid {
			e.State = Unproven
		}
	}
}

// Advance decides which endpoint is the best now and tells whether it is
// another one.
func (t *Table) Advance(now int64) (changed bool) {
	t.age(now)
	if t.best < 0 {
		return false
	}
	to := t.rival(now)
	if to < 0 {
		return false
	}
	t.counts.Switched++
	t.previous, t.left, t.best = t.best, now, int8(to)
	if now < t.holdUntil+t.hold {
		t.hold = min(2*t.hold, holdMost)
	} else {
		t.hold = max(t.hold/2, holdFirst)
	}
	t.holdUntil = now + t.hold
	for i := range t.entries {
		t.entries[i].better = 0
	}
	return true
}

// age marks endpoints that stay silent although they were asked.
func (t *Table) age(now int64) {
	for i := range t.entries[:t.count] {
		e := &t.entries[i]
		if e.awaiting && now-e.probed > max(3*(e.SRTT+4*e.RTTVar), second) {
			e.awaiting = false
			e.Loss += (1000 - e.Loss) / 8
			if !t.trusted(e, now) && e.State == Valid {
				e.State = Failed
			}
		}
	}
}

// rival returns the endpoint that should take over, -1 for none: any trusted
// one at once when the best has lost its trust, otherwise one that was better by
// 10 ms and 15 % in three rounds, and is not the one just left.
func (t *Table) rival(now int64) int {
	best := &t.entries[t.best]
	lost := !t.trusted(best, now)
	found := -1
	for i := range t.entries[:t.count] {
		e := &t.entries[i]
		if i == int(t.best) || !t.trusted(e, now) {
			continue
		}
		if !lost && (e.better < rounds || i == int(t.previous) && now < t.holdUntil) {
			continue
		}
		if found < 0 || e.score() < t.entries[found].score() {
			found = i
		}
	}
	return found
}

// Round compares the endpoints once per measurement of the best one.
func (t *Table) Round(now int64) {
	if t.best < 0 {
		return
	}
	best := t.entries[t.best].score()
	for i := range t.entries[:t.count] {
		e := &t.entries[i]
		if i != int(t.best) && t.trusted(e, now) && best-e.score() > max(10*ms, best*15/100) {
			e.better = min(e.better+1, rounds)
		} else {
			e.better = 0
		}
	}
}

// Probe returns an endpoint other than the best that is due for a probe:
// configured and valid ones every tenth period, every period where the peer may
// have moved to.
func (t *Table) Probe(now int64) (to netip.AddrPort, ok bool) {
	for i := range t.entries[:t.count] {
		e, every := &t.entries[i], 10*t.period
		if t.doubtful(e, now) {
			every = t.period
		}
		if i == int(t.best) || e.State == Failed && !e.Static || now-e.probed < every {
			continue
		}
		e.probed, e.awaiting = now, true
		return e.Addr, true
	}
	return to, false
}

// doubtful says whether e may be the better place to send to already: the best
// one has lost its trust, or the peer speaks from e and not from there any more.
func (t *Table) doubtful(e *Entry, now int64) bool {
	if t.best < 0 {
		return false
	}
	best := &t.entries[t.best]
	return !t.trusted(best, now) || e.State == Valid && e.Heard > max(best.Heard, best.Pong)
}

// NextProbe is when Probe has something to say, if nothing else happens.
func (t *Table) NextProbe(now int64) int64 {
	next := int64(1<<63 - 1)
	for i := range t.entries[:t.count] {
		if e := &t.entries[i]; i != int(t.best) && (e.Static || e.State != Failed) {
			next = min(next, max(e.probed+t.period, now+t.period/4))
		}
	}
	return next
}
