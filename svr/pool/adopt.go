package pool

import "fmt"

// NoOwner is the owner of a direction that Open found.
const NoOwner = ^uint32(0)

// Open takes over a table that another process made in mem and no longer
// writes, whatever it was doing when it died. Sizes, seed and clock come from
// the header, cfg gives the Barrier only. Every direction that was published
// and can be found by its key stays; the rest is cleared and rests a second
// from now on, as does what was removed within the last second, so that the
// lanes may keep reading all the time. Owners (NoOwner) are not in the shared
// memory: the caller sets them by SetOwner, or Removes the direction.
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
	t.now = now
	a := adoption{t: t, kind: make([]uint8, t.slots)}
	a.sortSlots()
	a.sweepIndex()
	a.keepOne()
	a.takeOver()
	t.stats.Highest = t.stats.Used
	return t, nil
}

// adoption is what Open knows of each slot.
type adoption struct {
	t    *Table
	kind []uint8
}

const (
	kindEmpty   = iota
	kindFirst   // holds a direction that was published in whole
	kindIndexed // the same, with an entry of the overflow index
	kindSecond  // belongs to one
)

// sortSlots finds the directions that are whole and clears what is not.
func (a *adoption) sortSlots() {
	t := a.t
	for s := range t.slots {
		if t.formOf(s)&formLive == 0 {
			continue
		}
		second := t.secondOf(s)
		if !a.sound(s, second) {
			t.clearFirst(s)
			continue
		}
		a.kind[s] = kindFirst
		if h := t.hashAt(s); t.direct(h, s) {
			t.tags.set(s, tagOf(h))
		}
		if second != none {
			a.kind[second] = kindSecond
		}
	}
	for s := range t.slots {
		if a.kind[s] == kindEmpty && t.formOf(s) != 0 {
			t.clearSecond(s)
		}
	}
}

// sound tells whether slot holds a direction that was published in whole.
func (a *adoption) sound(slot, second uint32) bool {
	t := a.t
	if form := t.formOf(slot); form&formSecond != 0 || t.mem.load32(t.off(slot)+offGen)&1 != 0 ||
		form&(formKey6|formNew6) != 0 != (form&formPair != 0) {
		return false
	} else if form&formPair == 0 {
		return true
	}
	return second != none && t.formOf(second) == formSecond && a.kind[second] == kindEmpty
}

// sweepIndex clears every entry that does not lead to a published slot with a
// key of that place outside its window, and all but one to the same slot (a
// displacement that was cut short).
func (a *adoption) sweepIndex() {
	t := a.t
	for b := range t.buckets {
		for way := range uint32(ways) {
			off := entryOff(b, way)
			e := t.mem.load32(off)
			if e == 0 {
				continue
			}
			slot := e & slotMask
			if slot >= t.slots || a.kind[slot] != kindFirst || !t.leads(b, e) {
				t.mem.store32(off, 0)
				continue
			}
			a.kind[slot] = kindIndexed
			t.strays.add(t.block(t.hashAt(slot)))
		}
	}
	t.moved()
}

// leads tells whether entry e of bucket b is one that its slot's key may have.
func (t *Table) leads(b, e uint32) bool {
	slot := e & slotMask
	h := t.hashAt(slot)
	return e == entryOf(h, slot) && !t.direct(h, slot) && (b == t.bucket1(h) || b == t.bucket2(h))
}

// keepOne clears the directions that no search finds: one that never came into
// the index, and all but the first of those with the same key (a move that was
// cut short), whose counters do not get lost.
func (a *adoption) keepOne() {
	t := a.t
	for s := range t.slots {
		if a.kind[s] != kindFirst && a.kind[s] != kindIndexed {
			continue
		}
		h := t.hashAt(s)
		k := t.Key(s)
		found, ok := t.Lookup(&k)
		if ok && found == s {
			continue
		}
		if ok {
			t.most(found, s)
		}
		if a.kind[s] == kindIndexed {
			t.leave(h, s)
		}
		a.kind[s] = kindEmpty
		if second := t.unpublish(s); second != none {
			a.kind[second] = kindEmpty
		}
	}
}

// takeOver counts the slots that stay, lets those rest that were in use a moment
// ago, and sets the others free.
func (a *adoption) takeOver() {
	t := a.t
	for s := range t.slots {
		switch a.kind[s] {
		case kindFirst, kindIndexed:
			t.SetOwner(s, NoOwner)
			t.countUp(t.secondOf(s) != none)
		case kindSecond:
		default:
			if gone := t.mem.load32(t.off(s) + offGone); gone != 0 && int32(t.seenTick(t.now)-gone) < restTicks {
				t.mem.store32(t.off(s)+offGone, t.seenTick(t.now))
				t.rest(s)
			} else {
				t.free.add(s)
			}
		}
	}
}
