package pool

import "sync/atomic"

// Free slots: a buddy system of two sizes. Pairs are even-aligned. A single
// comes from half a free pair; two free halves join again. Slots that were
// never used lie behind the virgin mark and have never been touched.
//
// A session inserts its two IPv4 directions one after the other and removes
// them together, so they share a pair and the pool does not fragment.

// States of a slot, the upper bits of side.link; the lower ones name the next
// slot of its list.
const (
	stateUsed  = 0 // in use, second of a used pair, or virgin
	stateFree1 = 1 << 29
	stateFree2 = 2 << 29
	stateRest1 = 3 << 29
	stateRest2 = 4 << 29
	stateMask  = 7 << 29
	endOfList  = 1<<29 - 1
)

// restTicks is the second that a removed slot rests, in ticks of 2^seenShift
// ns; one more because the tick of the removal had begun before.
const restTicks = 1e9>>seenShift + 2

// drainBatch is how many rested slots one call takes back at most.
const drainBatch = 64

type freeLists struct {
	singles  uint32 // doubly linked, the back link is in side.owner
	pairs    uint32
	restHead uint32 // FIFO by removal time, which is in side.owner
	restTail uint32
	virgin   uint32
}

func (f *freeLists) init() {
	f.singles, f.pairs, f.restHead, f.restTail = endOfList, endOfList, endOfList, endOfList
}

// take returns a free slot, or the first of a free pair.
func (t *Table) take(pair bool) (slot uint32, ok bool) {
	t.drain(2)
	if pair {
		return t.takePair()
	}
	if s := t.free.singles; s != endOfList {
		t.unlinkSingle(s)
		return s, true
	}
	s, ok := t.takePair()
	if ok {
		t.pushSingle(s + 1)
	}
	return s, ok
}

// giveBack returns a taken slot that was never published.
func (t *Table) giveBack(slot uint32, pair bool) {
	if pair {
		t.pushPair(slot)
	} else {
		t.putSingle(slot)
	}
}

func (t *Table) takePair() (slot uint32, ok bool) {
	f := &t.free
	if s := f.pairs; s != endOfList {
		f.pairs = t.side[s].link &^ stateMask
		t.side[s].link = stateUsed
		return s, true
	}
	if f.virgin >= t.slots {
		return 0, false
	}
	s := f.virgin
	f.virgin += 2
	t.mem.store32(offVirgin, f.virgin)
	return s, true
}

func (t *Table) pushPair(s uint32) {
	t.side[s].link = stateFree2 | t.free.pairs
	t.side[s+1].link = stateUsed
	t.free.pairs = s
}

// putSingle frees one half and joins it with the other when that is free.
func (t *Table) putSingle(s uint32) {
	buddy := s ^ 1
	if t.side[buddy].link&stateMask == stateFree1 {
		t.unlinkSingle(buddy)
		t.pushPair(s &^ 1)
		return
	}
	t.pushSingle(s)
}

func (t *Table) pushSingle(s uint32) {
	head := t.free.singles
	t.side[s].link = stateFree1 | head
	atomic.StoreUint32(&t.side[s].owner, endOfList)
	if head != endOfList {
		atomic.StoreUint32(&t.side[head].owner, s)
	}
	t.free.singles = s
}

func (t *Table) unlinkSingle(s uint32) {
	next, prev := t.side[s].link&^stateMask, t.side[s].owner
	if prev == endOfList {
		t.free.singles = next
	} else {
		t.side[prev].link = stateFree1 | next
	}
	if next != endOfList {
		atomic.StoreUint32(&t.side[next].owner, prev)
	}
	t.side[s].link = stateUsed
}

// rest puts a cleared slot, or pair, to the end of the resting queue.
func (t *Table) rest(slot uint32, pair bool) {
	f := &t.free
	state := uint32(stateRest1)
	if pair {
		state = stateRest2
	}
	t.side[slot].link = state | endOfList
	atomic.StoreUint32(&t.side[slot].owner, uint32(t.now>>seenShift))
	if f.restTail == endOfList {
		f.restHead = slot
	} else {
		tail := &t.side[f.restTail]
		tail.link = tail.link&stateMask | slot
	}
	f.restTail = slot
}

// rested tells whether the head of the queue may be reused.
func (t *Table) rested() bool {
	h := t.free.restHead
	return h != endOfList && int32(uint32(t.now>>seenShift)-t.side[h].owner) >= restTicks
}

// drain takes up to n rested slots back.
func (t *Table) drain(n int) {
	f := &t.free
	if !t.rested() {
		return
	}
	if t.barrier != nil {
		t.barrier()
	}
	for ; n > 0 && t.rested(); n-- {
		s := f.restHead
		pair := t.side[s].link&stateMask == stateRest2
		f.restHead = t.side[s].link &^ stateMask
		if f.restHead == endOfList {
			f.restTail = endOfList
		}
		t.stats.Resting -= slotsOf(pair)
		t.giveBack(s, pair)
	}
}

// Advance tells the table the time, and takes back slots that rested long
// enough: call it once per batch. Insert has no time of its own and goes by the
// newest that Advance, Remove or Move has told. Writer only.
func (t *Table) Advance(now int64) {
	t.now = max(t.now, now)
	t.drain(drainBatch)
}

// vacate clears a slot that left the index and lets it rest.
func (t *Table) vacate(slot uint32, now int64) {
	pair := t.isPair(slot)
	t.unpublish(slot, pair)
	t.Advance(now)
	n := slotsOf(pair)
	t.stats.Directions--
	t.stats.Used -= n
	t.stats.Resting += n
	t.rest(slot, pair)
}

func (t *Table) countUp(pair bool) {
	t.stats.Directions++
	t.stats.Used += slotsOf(pair)
	t.stats.Highest = max(t.stats.Highest, t.stats.Used)
}

func slotsOf(pair bool) int {
	if pair {
		return 2
	}
	return 1
}
