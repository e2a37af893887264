package pool

import (
	"fmt"
	"sync/atomic"
)

// NoOwner is the owner of a direction that Open found.
const NoOwner = ^uint32(0)

// Open takes over a table that another process made in mem and no longer
// writes, whatever it was doing when it died. Sizes, seed and clock come from
// the header, cfg gives the Barrier only. Every direction that was published
// and can be found by its key stays; the rest is cleared and rests a second
// from now on, so that the lanes may keep reading all the time. Owners (NoOwner),
// egress interfaces and MTUs are not in the shared memory: the caller sets them
// by SetOwner and Update, or Removes the direction.
func Open(mem []byte, cfg TableConfig, now int64) (*Table, error) {
	h, err := ReadHeader(mem)
	if err != nil {
		return nil, err
	}
	cfg.Slots, cfg.Seed, cfg.Clock = int(h.Slots), h.Seed, h.Clock
	t, err := newTable(mem, cfg)
	if err != nil {
		return nil, fmt.Errorf("open table: %w", err)
	}
	t.free.virgin, t.now = h.Virgin, now
	indexed := make([]uint64, h.Slots/64+1)
	t.sweepIndex(indexed)
	for s := uint32(0); s < h.Virgin; s += 2 {
		t.adoptPair(s, indexed)
	}
	t.stats.Highest = t.stats.Used
	return t, nil
}

// sweepIndex clears every entry that does not lead to a published slot with a
// key of that place, and all but one to the same slot (a displacement that was
// cut short). It marks the slots that keep one.
func (t *Table) sweepIndex(indexed []uint64) {
	for b := range t.buckets {
		for way := range uint32(ways) {
			off := entryOff(b, way)
			e := t.mem.load32(off)
			if e == 0 {
				continue
			}
			slot := e & slotMask
			if !t.sound(slot) || !t.leads(b, e) || indexed[slot/64]>>(slot%64)&1 != 0 {
				t.mem.store32(off, 0)
				continue
			}
			indexed[slot/64] |= 1 << (slot % 64)
		}
	}
	t.moved()
}

// sound tells whether slot holds a direction that was published in whole.
func (t *Table) sound(slot uint32) bool {
	if slot >= t.free.virgin || t.second(slot) || t.mem.load32(t.off(slot)+offGen)&1 != 0 {
		return false
	}
	form := t.formOf(slot)
	return form&formLive != 0 && (form&formPair == 0 || slot&1 == 0)
}

// leads tells whether entry e of bucket b is one that its slot's key may have.
func (t *Table) leads(b, e uint32) bool {
	slot := e & slotMask
	h := t.hashAt(slot)
	return e == entryOf(h, slot) && (b == t.bucket1(h) || b == t.bucket2(h))
}

// adoptPair sorts two slots into used and resting.
func (t *Table) adoptPair(s uint32, indexed []uint64) {
	keep := func(s uint32) bool { return indexed[s/64]>>(s%64)&1 != 0 }
	switch {
	case keep(s) && t.isPair(s):
		t.adopt(s, true)
	case !keep(s) && (t.isPair(s) || !keep(s+1)):
		t.mem.clear(t.off(s+1), SlotSize)
		t.discard(s, true)
	default:
		for i := s; i < s+2; i++ {
			if keep(i) {
				t.adopt(i, false)
			} else {
				t.discard(i, false)
			}
		}
	}
}

// adopt counts a slot that stays.
func (t *Table) adopt(s uint32, pair bool) {
	atomic.StoreUint32(&t.side[s].owner, NoOwner)
	t.countUp(pair)
}

// discard clears a slot that does not stay, and lets it rest.
func (t *Table) discard(s uint32, pair bool) {
	t.unpublish(s, pair)
	t.stats.Resting += slotsOf(pair)
	t.rest(s, pair)
}
