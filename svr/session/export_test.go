package session

// Lent returns how many next-hops the engine holds that no session uses.
func (e *Engine) Lent() (n int) {
	for _, hop := range e.lent {
		if hop != noHop {
			n++
		}
	}
	return n
}

// KeysInUse returns how many GCM entries sessions hold, how many are made and
// how many there may be.
func (e *Engine) KeysInUse() (used, made, limit int) {
	for i := e.keys.free; i != none; i = e.keys.at(i).free {
		used--
	}
	for _, c := range e.keys.chunks {
		made += len(c)
	}
	return used + int(e.keys.virgin), made, int(e.keys.limit)
}

// KeysAwake returns how many sessions hold keys that are not parked.
func (e *Engine) KeysAwake() (n int) {
	for i := range e.recs[:e.virginRec] {
		if r := &e.recs[i]; r.used && r.key != none && e.keys.awake(r.key) {
			n++
		}
	}
	return n
}
