package session

import (
	"fmt"

	"waymark/svr/pool"
)

// Check walks table, wayports and session records and tells the first thing
// that does not fit together: every direction belongs to one session, every
// session has both and is found by UUID and context, every wayport pair that it
// owns is live, and nobody else holds one. For a router that took over what
// another process left, and for tests; it takes time in proportion to the pools.
func (e *Engine) Check() error {
	if err := e.table.Check(); err != nil {
		return fmt.Errorf("check session table: %w", err)
	}
	if err := e.cfg.Wayports.Check(); err != nil {
		return fmt.Errorf("check wayports: %w", err)
	}
	owned := make([]int, len(e.paths))
	live, more := 0, 0
	for i := range e.recs[:e.virginRec] {
		if e.recs[i].is(recMore) && !e.orphan(uint32(i)) {
			more++
		}
		if !e.recs[i].is(recUsed) {
			continue
		}
		live++
		if err := e.checkRecord(uint32(i), owned); err != nil {
			return fmt.Errorf("check session %x: %w: %w", e.recs[i].uuid, pool.ErrBroken, err)
		}
	}
	return e.checkSums(live, more, owned)
}

// checkRecord looks at one session, and counts the pairs it owns by path.
func (e *Engine) checkRecord(i uint32, owned []int) error {
	r := &e.recs[i]
	for d, s := range r.slot {
		if s == none {
			return fmt.Errorf("no direction %d", d)
		}
		k, _, ok := e.table.Read(s)
		if !ok || e.table.Owner(s) != i<<1|uint32(d) {
			return fmt.Errorf("slot %d is not its direction %d", s, d)
		}
		if g := &r.leg[d]; g.owned() {
			owned[g.path]++
			if !e.cfg.Wayports.Live(e.cfg.Pathway[g.path], k.DstPort, k.SrcPort) {
				return fmt.Errorf("its wayports %d, %d are not live", k.DstPort, k.SrcPort)
			}
		}
	}
	if e.findUUID(&r.uuid, e.hashUUID(&r.uuid)) == none {
		return fmt.Errorf("not found by UUID")
	}
	if !e.whole(i) {
		return fmt.Errorf("no record of its IPv6 addresses")
	}
	inner := e.inner(r)
	if j, _ := e.findContext(&inner); j == none {
		return fmt.Errorf("not found by context %v", inner)
	}
	return nil
}

// checkSums compares what the sessions have with what the pools gave.
func (e *Engine) checkSums(live, more int, owned []int) error {
	free := 0
	for i := e.freeRec; i != none && free <= len(e.recs); i = e.recs[i].next {
		free++
	}
	if live != e.live || live+more != e.taken || live+more+free != int(e.virginRec) {
		return fmt.Errorf("check sessions: %w: %d live, %d more records and %d free of %d; figures say %d live in %d",
			pool.ErrBroken, live, more, free, e.virginRec, e.live, e.taken)
	}
	if n := e.table.Stats().Directions; n != 2*live {
		return fmt.Errorf("check sessions: %w: %d directions of %d sessions", pool.ErrBroken, n, live)
	}
	pairs := map[uint16]int{}
	for path, n := range owned {
		pairs[e.cfg.Pathway[path]] += n
	}
	for id, n := range pairs {
		if s := e.cfg.Wayports.Stats(id); s.InUse != n {
			return fmt.Errorf("check wayports: %w: pathway %d has %d live pairs, sessions own %d", pool.ErrBroken, id, s.InUse, n)
		}
	}
	return nil
}
