package pool

import "runtime"

// The overflow index holds the directions whose window was full (window.go):
// buckets of eight entries, two possible buckets per key. An entry is usedBit |
// tag << 22 | slot, zero when empty, and is read and written as one word. A full
// pair of buckets is relieved by moving entries to their other bucket; an entry
// stands at its new place before it leaves the old one.
//
// A reader compares the window, then scans the first bucket, then the second. A
// key that moves from a later place to an earlier one between its steps would
// escape it, so the writer counts each move in a header word before it clears
// the old place: a miss counts only if that word did not change meanwhile. (The
// BPF program tries twice; a miss of its own is a punt, and Go as the writer
// never misses.)

const (
	usedBit   = 1 << 31
	tagShift  = 22
	slotMask  = 1<<tagShift - 1
	findTries = 1 << 20 // some 0.1 s: the writer is held up between two words
)

func entryOf(hash uint64, slot uint32) uint32 {
	return usedBit | uint32(hash>>32)&0x1ff<<tagShift | slot
}

func (t *Table) bucket1(hash uint64) uint32 {
	return uint32((hash >> 32) * uint64(t.buckets) >> 32)
}

func (t *Table) bucket2(hash uint64) uint32 {
	return uint32((hash & 0xffffffff) * uint64(t.buckets) >> 32)
}

// entryOff is the offset of an entry.
func entryOff(bucket, way uint32) uintptr {
	return pageSize + uintptr(bucket)*bucketSize + uintptr(way)*4
}

// Outcomes of comparing a slot with a key.
type outcome uint8

const (
	differs outcome = iota
	matches
	torn // the writer was at the slot
)

// find looks a key up, whose hash is h.
func (t *Table) find(h uint64, w *keyWords) (slot uint32, ok bool) {
	for try := 1; try <= findTries; try++ {
		moves := t.mem.load32(offMoves)
		slot, got := t.search(h, w)
		if got == matches {
			return slot, true
		}
		if got == differs && t.mem.load32(offMoves) == moves {
			return 0, false
		}
		if try%8 == 0 {
			runtime.Gosched()
		}
	}
	return 0, false
}

// search looks at every place that may hold the key, once.
func (t *Table) search(h uint64, w *keyWords) (slot uint32, result outcome) {
	if slot, result = t.inWindow(h, w); result != differs {
		return slot, result
	}
	if t.strays.of(t.block(h)) == 0 {
		return 0, differs
	}
	if slot, result = t.scan(t.bucket1(h), h, w); result == differs {
		slot, result = t.scan(t.bucket2(h), h, w)
	}
	return slot, result
}

// scan compares the entries of a bucket.
func (t *Table) scan(bucket uint32, h uint64, w *keyWords) (uint32, outcome) {
	want := entryOf(h, 0)
	result := differs
	for way := range uint32(ways) {
		e := t.mem.load32(entryOff(bucket, way))
		if e&^slotMask != want {
			continue
		}
		slot := e & slotMask
		switch t.compare(slot, w) {
		case matches:
			return slot, matches
		case torn:
			result = torn
		}
	}
	return 0, result
}

// compare reads the key of a slot under its generation. Only a match needs that:
// the words of a key are never written while it stands, so what differs, even in
// a slot that the writer is at, is not the key.
func (t *Table) compare(slot uint32, w *keyWords) outcome {
	o := t.off(slot)
	gen := t.mem.load32(o + offGen)
	switch {
	case !t.sameKey(o, w):
		return differs
	case gen&1 != 0 || t.mem.load32(o+offGen) != gen:
		return torn
	}
	return matches
}

func (t *Table) sameKey(o uintptr, w *keyWords) bool {
	ifc, proto, form := unpackMeta(t.mem.load32(o + offMeta))
	meta := uint32(ifc) | uint32(proto)<<16
	if form&formKey6 != 0 {
		meta |= 1 << 24
	}
	if form&formLive == 0 {
		return false
	}
	if !w.v6 {
		return meta == w.w[3] && t.mem.load32(o+offPorts) == w.w[2] &&
			t.mem.load32(o+offSrc) == w.w[0] && t.mem.load32(o+offDst) == w.w[1]
	}
	if meta != w.w[9] || t.mem.load32(o+offPorts) != w.w[8] || t.mem.load32(o+offDst) != w.w[six] {
		return false
	}
	second := t.mem.load32(o + offSrc)
	if second >= t.slots {
		return false
	}
	o = t.off(second)
	for i := range uintptr(six) {
		if t.mem.load32(o+offKey6+4*i) != w.w[i] {
			return false
		}
	}
	return true
}

// hashAt returns the hash of the key in a live slot. Writer only.
func (t *Table) hashAt(slot uint32) uint64 {
	o := t.off(slot)
	ifc, proto, form := unpackMeta(t.mem.load32(o + offMeta))
	meta := uint32(ifc) | uint32(proto)<<16
	var w keyWords
	if form&formKey6 == 0 {
		w.w = [10]uint32{t.mem.load32(o + offSrc), t.mem.load32(o + offDst), t.mem.load32(o + offPorts), meta}
		return t.hashOf(&w)
	}
	w.w[six] = t.mem.load32(o + offDst)
	if second := t.mem.load32(o + offSrc); second < t.slots {
		for i := range uintptr(six) {
			w.w[i] = t.mem.load32(t.off(second) + offKey6 + 4*i)
		}
	}
	w.w[8], w.w[9], w.v6 = t.mem.load32(o+offPorts), meta|1<<24, true
	return t.hashOf(&w)
}

// enter writes the entry of a published slot; makeRoom has run before.
func (t *Table) enter(h uint64, slot uint32) {
	b, way, ok := t.emptyOf(t.bucket1(h))
	if b2, way2, ok2 := t.emptyOf(t.bucket2(h)); !ok || ok2 && t.load(b2) < t.load(b) {
		b, way = b2, way2
	}
	t.strays.add(t.block(h))
	t.mem.store32(entryOff(b, way), entryOf(h, slot))
}

// place finds the entry of a slot.
func (t *Table) place(h uint64, slot uint32) (off uintptr, ok bool) {
	want := entryOf(h, slot)
	for _, b := range [2]uint32{t.bucket1(h), t.bucket2(h)} {
		for way := range uint32(ways) {
			if off := entryOff(b, way); t.mem.load32(off) == want {
				return off, true
			}
		}
	}
	return 0, false
}

// leave clears the entry of a slot.
func (t *Table) leave(h uint64, slot uint32) {
	if off, ok := t.place(h, slot); ok {
		t.mem.store32(off, 0)
		t.strays.drop(t.block(h))
	}
}

// moved tells readers that a key changed its place. Writer only.
func (t *Table) moved() { t.mem.store32(offMoves, t.mem.load32(offMoves)+1) }

// emptyOf returns an empty way of a bucket.
func (t *Table) emptyOf(b uint32) (bucket, way uint32, ok bool) {
	for way := range uint32(ways) {
		if t.mem.load32(entryOff(b, way)) == 0 {
			return b, way, true
		}
	}
	return b, 0, false
}

// load counts the entries of a bucket.
func (t *Table) load(b uint32) (n int) {
	for way := range uint32(ways) {
		if t.mem.load32(entryOff(b, way)) != 0 {
			n++
		}
	}
	return n
}
