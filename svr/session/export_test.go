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

// KeysInUse returns how many GCM entries sessions hold and how many there are.
func (e *Engine) KeysInUse() (used, limit int) {
	for i := e.keys.free; i != none; i = e.keys.at(i).free {
		used--
	}
	return used + int(e.keys.virgin), len(e.keys.entries)
}
