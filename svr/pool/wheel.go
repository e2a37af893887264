package pool

// Ticks of the wheel.
const (
	// WheelTick is the grain of a Wheel in nanoseconds: 100 ms. A deadline
	// fires at the first tick at or after it, never before.
	WheelTick = 100_000_000

	wheelBits   = 8
	wheelSize   = 1 << wheelBits
	wheelMask   = wheelSize - 1
	wheelLevels = 2 // 2^16 ticks: 109 minutes

	// WheelReach is how far ahead a deadline may lie, in nanoseconds. One that is
	// further away fires then; whoever set it looks again.
	WheelReach = (wheelSize - 1) * wheelSize * WheelTick
)

// Wheel is a hierarchical timing wheel over record indices: one deadline per
// record, O(1) to schedule and to cancel, each record moved at most once before
// it fires. Memory is fixed: ten bytes a record.
type Wheel struct {
	heads [wheelLevels * wheelSize]uint32 // record + 1
	next  []uint32                        // by record: record + 1
	prev  []uint32                        // by record: record + 1, or headFlag + list
	due   []uint16                        // by record: deadline in ticks, modulo 2^16
	tick  uint32                          // the last tick that was worked off
	now   int64
	count int
}

const headFlag = 1 << 31 // prev names a list head; at most 2^31-1 records

// NewWheel makes a wheel for records 0 to records-1 whose clock stands at now.
func NewWheel(records int, now int64) *Wheel {
	return &Wheel{
		next: make([]uint32, records), prev: make([]uint32, records), due: make([]uint16, records),
		tick: uint32(now / WheelTick), now: now,
	}
}

// Len returns how many records are scheduled.
func (w *Wheel) Len() int { return w.count }

// Scheduled tells whether idx has a deadline.
func (w *Wheel) Scheduled(idx uint32) bool { return w.prev[idx] != 0 }

// Schedule sets the deadline of idx, replacing an older one. A deadline in the
// past fires at the next tick, one beyond WheelReach at that.
func (w *Wheel) Schedule(idx uint32, deadline int64) {
	w.Cancel(idx)
	ticks := (max(deadline, 0) + WheelTick - 1) / WheelTick
	ahead := ticks - w.now/WheelTick
	w.due[idx] = uint16(w.tick + uint32(min(max(ahead, 1), WheelReach/WheelTick)))
	w.put(idx)
	w.count++
}

// Cancel removes the deadline of idx; none is fine. It tells if there was one.
func (w *Wheel) Cancel(idx uint32) bool {
	p := w.prev[idx]
	if p == 0 {
		return false
	}
	n := w.next[idx]
	if p&headFlag != 0 {
		w.heads[p&^headFlag] = n
	} else {
		w.next[p-1] = n
	}
	if n != 0 {
		w.prev[n-1] = p
	}
	w.next[idx], w.prev[idx] = 0, 0
	w.count--
	return true
}

// put links idx into the list of its deadline: the lowest level whose span
// still reaches it.
func (w *Wheel) put(idx uint32) {
	due := w.due[idx]
	list := uint32(due) & wheelMask
	if due-uint16(w.tick) >= wheelSize {
		list = wheelSize + uint32(due)>>wheelBits
	}
	head := w.heads[list]
	if head != 0 {
		w.prev[head-1] = idx + 1
	}
	w.next[idx], w.prev[idx], w.heads[list] = head, headFlag|list, idx+1
}

// Advance moves the clock to now and calls fire for every record that fell
// due, tick by tick. fire may schedule and cancel any record, its own included.
// A wheel without records jumps; otherwise each tick that passed costs one step.
func (w *Wheel) Advance(now int64, fire func(idx uint32)) {
	for w.now/WheelTick < now/WheelTick {
		if w.count == 0 {
			w.tick += uint32(now/WheelTick - w.now/WheelTick)
			break
		}
		w.now += WheelTick
		w.tick++
		w.cascade()
		w.fireTick(fire)
	}
	w.now = max(w.now, now)
}

// cascade brings a list of the upper level down when the lower one begins a new
// round.
func (w *Wheel) cascade() {
	if w.tick&wheelMask != 0 {
		return
	}
	list := wheelSize + w.tick>>wheelBits&wheelMask
	i := w.heads[list]
	w.heads[list] = 0
	for i != 0 {
		n := w.next[i-1]
		w.put(i - 1)
		i = n
	}
}

// fireTick empties the list of the current tick.
func (w *Wheel) fireTick(fire func(idx uint32)) {
	list := w.tick & wheelMask
	for i := w.heads[list]; i != 0; i = w.heads[list] {
		w.Cancel(i - 1)
		fire(i - 1)
	}
}
