package pool

import "unsafe"

// A miss of the cache takes as long as all else that is done for a packet's lookup. Who
// knows of several packets, or of what comes next, asks for the lines beforehand.

// Prefetch asks for what Lookup and Insert of k will look at first.
func (t *Table) Prefetch(k *Key) {
	var w keyWords
	w.set(k)
	home := t.home(t.hashOf(&w))
	prefetch3(unsafe.Pointer(&t.tags[home/windowSize]), t.at(home), unsafe.Pointer(&t.owner[home]))
	prefetch(unsafe.Pointer(&t.free.level[0][home/64]))
}

// PrefetchSlot asks for a slot.
func (t *Table) PrefetchSlot(slot uint32) {
	if slot < t.slots {
		prefetch(t.at(slot))
	}
}

// at is the address of a slot.
func (t *Table) at(slot uint32) unsafe.Pointer { return unsafe.Add(t.mem.base, t.off(slot)) }

// Prefetch asks for what Add and Each will look at first.
func (h *HashIndex) Prefetch(hash uint64) { prefetch(unsafe.Pointer(h.head(hash))) }
