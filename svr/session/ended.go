package session

// endedTable remembers the UUIDs of sessions that ended a moment ago. Their
// metadata may still have a good digest, and a bystander could bring the
// session to life again with it: what comes under such a UUID must be proven
// first. It forgets when it is full of newer ones.
type endedTable struct {
	slots []endedSlot
}

type endedSlot struct {
	tag  uint32 // of the UUID's hash
	tick uint32 // seconds of the engine's clock, 0 for an empty slot
}

// endedMemory is how long the metadata of a session that ended may be replayed:
// three ticks of a time-based digest, and two seconds to be sure.
const endedMemory = 8

func (t *endedTable) init(sessions int) {
	n := 256
	for n < sessions/8 {
		n *= 2
	}
	t.slots = make([]endedSlot, n)
}

func (t *endedTable) slot(hash uint64) *endedSlot { return &t.slots[hash%uint64(len(t.slots))] }

// put notes the end of the session whose UUID has this hash.
func (t *endedTable) put(hash uint64, now int64) {
	*t.slot(hash) = endedSlot{tag: uint32(hash >> 32), tick: max(uint32(now/second), 1)}
}

// has says whether the session with this hash of its UUID ended a moment ago.
func (t *endedTable) has(hash uint64, now int64) bool {
	s := t.slot(hash)
	return s.tick != 0 && s.tag == uint32(hash>>32) && uint32(now/second)-s.tick <= endedMemory
}
