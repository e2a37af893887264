package pool

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"waymark/svr/packet"
)

// Errors of the session table.
var (
	ErrFull   = errors.New("session table is full")
	ErrExists = errors.New("direction exists already")
	ErrForm   = errors.New("action does not fit the slot")
	ErrMemory = errors.New("memory cannot hold the table")
	ErrNoSlot = errors.New("slot holds no direction")
)

// Key names a direction of a session: the tuple as received on
// network-interface If.
type Key struct {
	packet.Tuple
	If uint16
}

// Action is what a lane does with a packet of a direction.
type Action struct {
	To     packet.Tuple // addresses, ports, protocol and family after the rewrite
	Hop    uint16       // next-hop
	Egress uint16       // network-interface
	Flags  uint16       // meaning belongs to session engine and lanes
	MTU    uint16       // of the egress path, 0 unknown
}

// TableConfig sizes a Table.
type TableConfig struct {
	// Slots is the number of 64-byte slots: one per IPv4 direction, two per
	// direction with an IPv6 side. Rounded up to even, at most 4,194,304.
	Slots int
	// Seed keys the index hash and must be secret and new for each empty table.
	Seed [16]byte
	// Clock is added to every `now` to give the clock of the BPF lane
	// (CLOCK_MONOTONIC at now = 0); 0 when there is none.
	Clock int64
	// Barrier, when set, is called once before a batch of rested slots becomes
	// usable again (membarrier in the BPF lane).
	Barrier func()
}

func (c TableConfig) slots() int { return max(c.Slots+c.Slots&1, 2) }

// side is what Go alone knows of a slot. The three words are atomics only where
// concurrent readers look: owner and out.
type side struct {
	owner uint32 // caller's record; free: previous free slot; resting: removal tick
	link  uint32 // state and next slot of the list it is in
	out   uint32 // egress and MTU
}

// Table is the session table: directions found by Key, each with an Action and
// counters. One goroutine writes (Insert, Update, Move, Remove, Advance); any
// number may read and count at the same time.
type Table struct {
	mem     memory
	base    uintptr // offset of slot 0
	slots   uint32
	buckets uint32
	hash    [hashKeys]uint64
	clock   int64
	barrier func()
	side    []side
	free    freeLists
	stats   TableStats
	now     int64
	search  [searchNodes]searchNode // scratch of the writer
}

// TableStats is a snapshot for show and alarms.
type TableStats struct {
	Directions int    // live directions
	Used       int    // slots of live directions
	Resting    int    // slots waiting for reuse
	Capacity   int    // slots in all
	Highest    int    // most slots ever used at once
	Refused    uint64 // inserts that found no room
}

// MemorySize returns the bytes that NewTable needs for cfg.
func MemorySize(cfg TableConfig) int {
	n := cfg.slots()
	return int(slotBase(bucketsFor(n))) + n*SlotSize
}

// bucketsFor sizes the index so that a table full of IPv4 loads it to 90 %.
func bucketsFor(slots int) int { return (slots*10/9+ways-1)/ways + 1 }

// slotBase is the offset of slot 0: a whole number of pages behind the index.
func slotBase(buckets int) uintptr {
	end := pageSize + uintptr(buckets)*bucketSize
	return (end + pageSize - 1) &^ (pageSize - 1)
}

// NewTable makes an empty table in mem, which must be zeroed, aligned to 64
// bytes, at least MemorySize(cfg) long and unused by anyone else; nil lets the
// table allocate. Pages that hold no direction stay untouched.
func NewTable(mem []byte, cfg TableConfig) (*Table, error) {
	if n := cfg.slots(); cfg.Slots <= 0 || n > maxSlots {
		return nil, fmt.Errorf("make table of %d slots: 1 to %d possible: %w", cfg.Slots, maxSlots, ErrMemory)
	}
	t, err := newTable(mem, cfg)
	if err != nil {
		return nil, err
	}
	t.writeHeader(cfg)
	return t, nil
}

// newTable makes the Go side of a table whose size was checked.
func newTable(mem []byte, cfg TableConfig) (*Table, error) {
	m, err := newMemory(mem, MemorySize(cfg))
	if err != nil {
		return nil, err
	}
	n := cfg.slots()
	t := &Table{mem: m, slots: uint32(n), buckets: uint32(bucketsFor(n)), clock: cfg.Clock, barrier: cfg.Barrier}
	t.base = slotBase(int(t.buckets))
	t.side = make([]side, n)
	t.free.init()
	t.hash = expandSeed(cfg.Seed)
	t.stats.Capacity = n
	return t, nil
}

// Stats returns a snapshot. Writer only.
func (t *Table) Stats() TableStats { return t.stats }

// Free takes back slots that rested long enough and returns how many are free.
// Writer only.
func (t *Table) Free() int {
	if t.stats.Used+t.stats.Resting >= t.stats.Capacity-drainBatch {
		t.drain(drainBatch)
	}
	return t.stats.Capacity - t.stats.Used - t.stats.Resting
}

// Insert makes a direction. The slot number stays valid until Remove or Move;
// owner is the caller's record and comes back from Owner. It fails with
// ErrExists, ErrFull (counted as refused) or ErrForm (a protocol the action
// cannot express). Writer only.
func (t *Table) Insert(k Key, a Action, owner uint32) (slot uint32, err error) {
	var w keyWords
	w.set(&k)
	if _, ok := t.find(&w); ok {
		return 0, ErrExists
	}
	var img image
	if !img.build(&k, &a) {
		return 0, ErrForm
	}
	slot, ok := t.take(img.pair())
	if !ok {
		t.stats.Refused++
		return 0, ErrFull
	}
	h := t.hashOf(&w)
	if !t.makeRoom(h) {
		t.giveBack(slot, img.pair())
		t.stats.Refused++
		return 0, ErrFull
	}
	t.fill(slot, &img, owner)
	t.enter(h, slot)
	t.countUp(img.pair())
	return slot, nil
}

// fill writes everything of a fresh slot and publishes it.
func (t *Table) fill(slot uint32, img *image, owner uint32) {
	t.side[slot].link = stateUsed
	t.SetOwner(slot, owner)
	t.mem.clear(t.off(slot)+offBytes, SlotSize-offBytes)
	t.publish(slot, img)
}

// Update publishes a new action in place; counters go on. Readers see the old
// or the new action, never a mixture; the BPF lane punts meanwhile, and a kill
// in between loses the direction (Move has neither flaw). It fails with ErrForm when an IPv6 side
// comes to a slot made without one (Move then), ErrNoSlot when the slot is
// empty. Writer only.
func (t *Table) Update(slot uint32, a Action) error {
	k, _, ok := t.Read(slot)
	if !ok {
		return ErrNoSlot
	}
	var img image
	if !img.build(&k, &a) {
		return ErrForm
	}
	if pair := t.isPair(slot); img.pair() && !pair {
		return ErrForm
	} else if pair {
		img.form |= formPair
	}
	t.publish(slot, &img)
	return nil
}

// Move gives a direction a new action in a new slot: written there, switched in
// the index, then the old slot is cleared and rests. Owner and counters go
// along. Errors are those of Insert and ErrNoSlot. Writer only.
func (t *Table) Move(slot uint32, a Action, now int64) (uint32, error) {
	k, _, ok := t.Read(slot)
	if !ok {
		return 0, ErrNoSlot
	}
	var img image
	if !img.build(&k, &a) {
		return 0, ErrForm
	}
	to, ok := t.take(img.pair())
	if !ok {
		t.stats.Refused++
		return 0, ErrFull
	}
	t.fill(to, &img, t.Owner(slot))
	t.copyCounters(to, slot)
	t.countUp(img.pair())
	t.reenter(t.hashAt(slot), slot, to)
	t.vacate(slot, now)
	return to, nil
}

// Remove ends a direction; its slot rests for a second before reuse. A slot
// that holds none is left alone. Writer only.
func (t *Table) Remove(slot uint32, now int64) {
	if !t.live(slot) {
		return
	}
	t.leave(t.hashAt(slot), slot)
	t.vacate(slot, now)
}

// Lookup finds the direction of a packet. Any goroutine; a reader that is not
// the writer may miss a direction only while it is being inserted or removed.
func (t *Table) Lookup(k *Key) (slot uint32, ok bool) {
	var w keyWords
	w.set(k)
	return t.find(&w)
}

// Get is Lookup and Action of one moment: key and action belong together even
// while the writer is at work. Any goroutine.
func (t *Table) Get(k *Key, a *Action) (slot uint32, ok bool) {
	for {
		slot, ok = t.Lookup(k)
		if !ok {
			return 0, false
		}
		if got, act, ok := t.Read(slot); ok && got == *k {
			*a = act
			return slot, true
		}
	}
}

// Owner returns the caller's record of a live slot. Any goroutine; a reader
// that is not the writer must check that the record still names the slot.
func (t *Table) Owner(slot uint32) uint32 { return atomic.LoadUint32(&t.side[slot].owner) }

// SetOwner names another record. Writer only.
func (t *Table) SetOwner(slot, owner uint32) { atomic.StoreUint32(&t.side[slot].owner, owner) }

// Key returns the key of a slot, zero when it holds no direction. Any goroutine.
func (t *Table) Key(slot uint32) Key {
	k, _, _ := t.Read(slot)
	return k
}

// Action returns the action of a slot, zero when it holds no direction. Any
// goroutine.
func (t *Table) Action(slot uint32) Action {
	_, a, _ := t.Read(slot)
	return a
}

// Read returns key and action of one moment; ok is false when the slot holds no
// direction. Any goroutine.
func (t *Table) Read(slot uint32) (k Key, a Action, ok bool) {
	t.check(slot)
	for try := 1; ; try++ {
		var img image
		second := t.second(slot)
		if second || t.snapshot(slot, &img) {
			if second || img.form&formLive == 0 {
				return Key{}, Action{}, false
			}
			k, a = img.parse()
			return k, a, true
		}
		if try%8 == 0 {
			runtime.Gosched() // the writer was interrupted between its words
		}
	}
}

// ForEach calls f for every live direction until f returns false. Any
// goroutine; directions that come or go meanwhile may be seen or not.
func (t *Table) ForEach(f func(slot uint32) bool) {
	for from := uint32(0); from < t.slots; {
		from = t.Scan(from, t.slots, f)
	}
}

// Scan calls f for the live directions among the n slots from `from` on, and
// returns where to go on, Capacity or more at the end: an ageing pass in
// pieces. When f returns false the rest of the table is left out.
func (t *Table) Scan(from, n uint32, f func(slot uint32) bool) (next uint32) {
	virgin := t.mem.load32(offVirgin)
	if from >= virgin {
		return t.slots
	}
	end := virgin
	if n < end-from {
		end = from + n
	}
	for s := from; s < end; s++ {
		if t.second(s) || t.formOf(s)&formLive == 0 {
			continue
		}
		if !f(s) {
			return t.slots
		}
	}
	return end
}
