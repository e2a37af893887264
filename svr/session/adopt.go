package session

import (
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// RecordMemory is how many bytes of Config.Records n sessions take.
func RecordMemory(n int) int { return n * pool.RecordSize[record]() }

// RecordVersion counts changes of what the fields in Config.Records mean. Fields
// that come, go or move leave it as it is: RecordFields lets a build with others
// read the records, where zero must be the right value of a field that is new.
const RecordVersion = 4

// RecordFields are the fields of a record of Config.Records, RecordMemory(1) bytes.
func RecordFields() []pool.Field { return pool.Fields[record]() }

// Adopt takes over the sessions that Config.Records and an opened table hold
// from an earlier process under the same tables of policy: those whose packets
// no key protects. hop takes a reference on a next-hop of that process. The
// rest is removed and begins anew by its next packet. Before the first packet.
func (e *Engine) Adopt(now int64, hop func(id uint16) bool) (adopted, removed int) {
	e.now = now
	for i := len(e.recs); i > 0; i-- {
		r := &e.recs[i-1]
		if !r.is(recUsed | recMore) {
			continue
		}
		e.virginRec = max(e.virginRec, uint32(i))
		if r.is(recMore) {
			continue
		}
		if !e.whole(uint32(i-1)) || !e.sound(r) {
			removed++
			*r = record{}
			continue
		}
		if e.revive(uint32(i-1), hop) {
			adopted++
		} else {
			removed++
		}
	}
	e.freeUnused()
	e.peak = e.taken
	e.removeOwnerless()
	return adopted, removed
}

// sound tells whether what a record says fits table and configuration.
func (e *Engine) sound(r *record) bool {
	if r.key != none || r.is(recBridge) || int(r.tenant) >= len(e.tables.Tenants) ||
		int(r.service) >= len(e.tables.Services) || int(r.security) >= len(e.tables.Services) ||
		r.is(recProtected) && e.payload(r) == nil || e.protected(r) || r.active.time(e.now) > e.now+1e6 {
		return false
	}
	for l := range r.leg {
		g := &r.leg[l]
		if int(g.ifc) >= len(e.ifs) || g.path != policy.NoPath && int(g.path) >= len(e.paths) ||
			g.kind() == kindSVR && g.path == policy.NoPath {
			return false
		}
	}
	return e.soundSlots(r)
}

// soundSlots tells whether both slots are there, belong to nobody and answer
// each other.
func (e *Engine) soundSlots(r *record) bool {
	var key [2]pool.Key
	var act [2]pool.Action
	for d, s := range r.slot {
		if int64(s) >= int64(e.table.Stats().Capacity) || e.table.Owner(s) != pool.NoOwner {
			return false
		}
		var ok bool
		if key[d], act[d], ok = e.table.Read(s); !ok {
			return false
		}
	}
	return r.slot[0] != r.slot[1] && act[0].To == key[1].Reverse() && act[1].To == key[0].Reverse() &&
		(r.leg[0].kind() == kindSVR || key[0].Tuple == e.inner(r))
}

// revive makes the session of a sound record live again. What it owned is
// claimed; if something cannot be, the session is removed.
func (e *Engine) revive(i uint32, hop func(id uint16) bool) bool {
	r := &e.recs[i]
	ok := true
	for d, s := range r.slot {
		k, a, _ := e.table.Read(s)
		g := &r.leg[d]
		if g.hop != noHop && !hop(g.hop) {
			g.hop, ok = noHop, false
		}
		if g.owned() && !e.cfg.Wayports.Claim(e.cfg.Pathway[g.path], k.DstPort, k.SrcPort, e.now) {
			g.put(legOwned, false)
			ok = false
		}
		e.table.SetOwner(s, i<<1|uint32(d))
		if a.Flags&pool.FlagMTU == 0 { // unknown then, or of a build that noted it with FlagFast only
			e.table.SetFlags(s, e.action(r, d, a.To).Flags)
		}
	}
	if r.leg[1].kind() == kindNAT && r.natPort != 0 &&
		!e.cfg.NAT.Claim(e.now, r.natIf, r.proto, e.inner(r).Src, r.port[0], r.natPort) {
		r.natPort, ok = 0, false
	}
	r.next, r.prev = none, none
	e.live++
	e.byUUID.Add(e.hashUUID(&r.uuid), i)
	e.byContext.Add(e.hashContext(r), i)
	if !r.is(recAnswered) {
		e.pushUnanswered(i)
	}
	if !ok {
		e.remove(i)
		return false
	}
	r.put(recLent, e.mayLend(r))
	e.publishFlags(r)
	e.arm(i)
	return true
}

// freeUnused makes the free list of records that are not used.
func (e *Engine) freeUnused() {
	e.freeRec, e.taken = none, int(e.virginRec)
	for i := e.virginRec; i > 0; i-- {
		if r := &e.recs[i-1]; !r.is(recUsed|recMore) || r.is(recMore) && e.orphan(i-1) {
			e.pushRecord(i - 1)
		}
	}
}

// removeOwnerless clears the directions that no record owns.
func (e *Engine) removeOwnerless() {
	var list []uint32
	e.table.ForEach(func(s uint32) bool {
		if e.table.Owner(s) == pool.NoOwner {
			list = append(list, s)
		}
		return true
	})
	for _, s := range list {
		e.table.Remove(s, e.now)
	}
}
