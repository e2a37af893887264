package session

// SessionPage calls f for both directions of the sessions among the n records
// from record from on, the direction of the first packet first, and returns
// where the next page begins, -1 behind the last. The row is reused between
// calls. A caller who looks page by page lets packets pass in between.
func (e *Engine) SessionPage(from, n int, f func(*Row)) (next int) {
	var row Row
	end := min(from+n, int(e.virginRec))
	for i := max(from, 0); i < end; i++ {
		r := &e.recs[i]
		if !r.is(recUsed) || r.slot[0] == none || r.slot[1] == none {
			continue
		}
		for d := range r.slot {
			e.fillRow(&row, r, d)
			f(&row)
		}
	}
	if end == int(e.virginRec) {
		return -1
	}
	return end
}
