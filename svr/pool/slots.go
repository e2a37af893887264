package pool

// Slots that are not in use: free ones in a set of bits, removed ones in a queue
// where they rest. A session's key decides which slots it would like (window.go),
// so any free slot can be taken, and a direction with an IPv6 side takes two
// that need not be neighbours: the table cannot fragment.

// endOfList ends the queue of resting slots.
const endOfList = ^uint32(0)

// restTicks is the second that a removed slot rests, in ticks of 2^seenShift
// ns; one more because the tick of the removal had begun before.
const restTicks = 1e9>>seenShift + 2

// drainBatch is how many rested slots one call takes back at most.
const drainBatch = 64

// restQueue is a FIFO by removal time, which is in the cleared slot; owner links.
type restQueue struct{ head, tail uint32 }

// rest puts a cleared slot to the end of the queue.
func (t *Table) rest(slot uint32) {
	q := &t.resting
	t.SetOwner(slot, endOfList)
	if q.tail == endOfList {
		q.head = slot
	} else {
		t.SetOwner(q.tail, slot)
	}
	q.tail = slot
	t.stats.Resting++
}

// rested tells whether the head of the queue may be reused.
func (t *Table) rested() bool {
	h := t.resting.head
	return h != endOfList && int32(t.seenTick(t.now)-t.mem.load32(t.off(h)+offGone)) >= restTicks
}

// drain takes up to n rested slots back.
func (t *Table) drain(n int) {
	if !t.rested() {
		return
	}
	if t.barrier != nil {
		t.barrier()
	}
	q := &t.resting
	for ; n > 0 && t.rested(); n-- {
		s := q.head
		q.head = t.owner[s]
		if q.head == endOfList {
			q.tail = endOfList
		}
		t.stats.Resting--
		t.free.add(s)
	}
}

// Advance tells the table the time, and takes back slots that rested long
// enough: call it once per batch. Insert has no time of its own and goes by the
// newest that Advance, Remove or Move has told. Writer only.
func (t *Table) Advance(now int64) {
	t.now = max(t.now, now)
	t.drain(drainBatch)
}

// vacate clears a slot that nobody can find any more, and its second, and lets
// both rest.
func (t *Table) vacate(slot uint32, now int64) {
	t.Advance(now)
	second := t.unpublish(slot)
	t.stats.Directions--
	t.stats.Used--
	t.rest(slot)
	if second != none {
		t.stats.Used--
		t.rest(second)
	}
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
