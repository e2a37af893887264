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

// Action is what a lane does with a packet of a direction. It leaves by the
// interface that the packets of the other direction come in on.
type Action struct {
	To    packet.Tuple // addresses, ports, protocol and family after the rewrite
	Hop   uint16       // next-hop
	Flags uint16       // FlagFast and FlagMTU
}

// TableConfig sizes a Table.
type TableConfig struct {
	// Slots is the number of 64-byte slots: one per IPv4 direction, two per
	// direction with an IPv6 side. Rounded up to even, at most 4,194,304. Up to a
	// load of 60 % nearly every direction is found in one or two cache lines.
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

// Table is the session table: directions found by Key, each with an Action and
// counters. One goroutine writes (Insert, Update, Move, Remove, Advance); any
// number may read and count at the same time.
type Table struct {
	mem     memory
	base    uintptr // offset of slot 0
	slots   uint32
	buckets uint32
	window  uint32 // windowSize, less in tests of the overflow index
	hash    [hashKeys]uint64
	clock   int64
	barrier func()
	owner   []uint32 // by slot, what Go alone knows: caller's record; resting: next slot of the queue
	tags    tags
	strays  strays
	free    freeBits
	resting restQueue
	stats   TableStats
	now     int64
	nodes   [searchNodes]searchNode // scratch of the writer
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

// bucketsFor sizes the overflow index so that a table full of IPv4 loads it to
// 90 % even when none of it is in its window: sessions that come and go at 90 %
// of the slots bring nearly half of them there.
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
	for s := range t.slots {
		t.free.add(s)
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
	n := uint32(cfg.slots())
	t := &Table{
		mem: m, slots: n, buckets: uint32(bucketsFor(int(n))), window: windowSize, clock: cfg.Clock, barrier: cfg.Barrier,
		owner: make([]uint32, n), tags: newTags(n), strays: newStrays(n), free: newFreeBits(n), resting: restQueue{endOfList, endOfList}, hash: expandSeed(cfg.Seed),
	}
	t.base = slotBase(int(t.buckets))
	t.stats.Capacity = int(n)
	return t, nil
}

// Stats returns a snapshot. Writer only.
func (t *Table) Stats() TableStats { return t.stats }

// Free takes back slots that rested long enough and returns how many are free.
// Writer only.
func (t *Table) Free() int {
	if t.free.n <= drainBatch {
		t.drain(drainBatch)
	}
	return t.free.n
}

// Insert makes a direction. The slot number stays valid until Remove or Move;
// owner is the caller's record and comes back from Owner. It fails with
// ErrExists, ErrFull (counted as refused) or ErrForm (a protocol the action
// cannot express). Writer only.
func (t *Table) Insert(k Key, a Action, owner uint32) (slot uint32, err error) {
	var w keyWords
	w.set(&k)
	h := t.hashOf(&w)
	if _, ok := t.find(h, &w); ok {
		return 0, ErrExists
	}
	var img image
	if !img.build(&k, &a) {
		return 0, ErrForm
	}
	to, ok := t.allocate(h, img.pair())
	if !ok {
		t.stats.Refused++
		return 0, ErrFull
	}
	t.mem.clear(t.off(to.slot)+offBytes, SlotSize-offBytes)
	t.settle(h, to, &img, owner)
	return to.slot, nil
}

// settle publishes a direction in slots that were taken for it; its counters
// stand already. From then on readers find it.
func (t *Table) settle(h uint64, to spot, img *image, owner uint32) {
	t.SetOwner(to.slot, owner)
	direct := t.direct(h, to.slot)
	if direct {
		t.tags.set(to.slot, tagOf(h))
	}
	t.publish(to, img)
	if !direct {
		t.enter(h, to.slot)
	}
	t.countUp(img.pair())
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
	second := t.secondOf(slot)
	if img.pair() && second == none {
		return ErrForm
	}
	t.publish(spot{slot, second}, &img)
	if second != none && !img.pair() {
		t.clearSecond(second)
		t.stats.Used--
		t.rest(second)
	}
	return nil
}

// Move gives a direction a new action in a new slot: written there with the
// counters so far, then the old slot is cleared and rests. Owner and counters go
// along, with what was counted in between. Errors are those of Insert and
// ErrNoSlot. Writer only.
func (t *Table) Move(slot uint32, a Action, now int64) (uint32, error) {
	k, _, ok := t.Read(slot)
	if !ok {
		return 0, ErrNoSlot
	}
	var img image
	if !img.build(&k, &a) {
		return 0, ErrForm
	}
	h := t.hashAt(slot)
	to, ok := t.allocate(h, img.pair())
	if !ok {
		t.stats.Refused++
		return 0, ErrFull
	}
	before := t.tally(slot)
	t.startFrom(to.slot, before)
	t.settle(h, to, &img, t.Owner(slot))
	t.moved()
	if !t.direct(h, slot) {
		t.leave(h, slot)
	}
	t.vacate(slot, now)
	t.addSince(to.slot, slot, before)
	return to.slot, nil
}

// Remove ends a direction; its slot rests for a second before reuse. A slot
// that holds none is left alone. Writer only.
func (t *Table) Remove(slot uint32, now int64) {
	if !t.live(slot) {
		return
	}
	if h := t.hashAt(slot); !t.direct(h, slot) {
		t.leave(h, slot)
	}
	t.vacate(slot, now)
}

// Lookup finds the direction of a packet. Any goroutine; a reader that is not
// the writer may miss a direction only while it is being inserted or removed.
func (t *Table) Lookup(k *Key) (slot uint32, ok bool) {
	var w keyWords
	w.set(k)
	return t.find(t.hashOf(&w), &w)
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
func (t *Table) Owner(slot uint32) uint32 { return atomic.LoadUint32(&t.owner[slot]) }

// SetOwner names another record. Writer only.
func (t *Table) SetOwner(slot, owner uint32) { release32(&t.owner[slot], owner) }

// Key returns the key of a slot, zero when it holds no direction. Any goroutine.
func (t *Table) Key(slot uint32) (k Key) {
	var img image
	if t.read(slot, &img) {
		img.key(&k)
	}
	return k
}

// Action returns the action of a slot, zero when it holds no direction. Any
// goroutine.
func (t *Table) Action(slot uint32) (a Action) {
	var img image
	if t.read(slot, &img) {
		img.action(&a)
	}
	return a
}

// Proto returns the protocol of a slot's key, and Flags the flags of its action: one
// word each, where Key and Action copy twenty. Zero when it holds no direction. Any
// goroutine.
func (t *Table) Proto(slot uint32) uint8 {
	t.check(slot)
	_, proto, form := unpackMeta(t.mem.load32(t.off(slot) + offMeta))
	if form&formLive == 0 {
		return 0
	}
	return proto
}

// Flags: see Proto.
func (t *Table) Flags(slot uint32) uint16 {
	t.check(slot)
	_, flags := unpack16(t.mem.load32(t.off(slot) + offHop))
	return flags
}

// Read returns key and action of one moment; ok is false when the slot holds no
// direction. Any goroutine.
func (t *Table) Read(slot uint32) (k Key, a Action, ok bool) {
	var img image
	if ok = t.read(slot, &img); ok {
		k, a = img.parse()
	}
	return k, a, ok
}

// read takes a snapshot of a slot, and tells whether it holds a direction.
func (t *Table) read(slot uint32, img *image) bool {
	t.check(slot)
	for try := 1; ; try++ {
		if t.snapshot(slot, img) {
			return img.form&formLive != 0
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
	if from >= t.slots {
		return t.slots
	}
	end := from + min(n, t.slots-from)
	for s := from; s < end; s++ {
		if t.formOf(s)&formLive != 0 && !f(s) {
			return t.slots
		}
	}
	return end
}
