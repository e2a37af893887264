package pool

import (
	"fmt"
	"sync/atomic"
)

// image is the Go-written part of a slot, and of its second slot, in words.
type image struct {
	meta   uint32 // ingress and protocol with form 0
	form   uint8
	words  [8]uint32  // src, dst, ports, new src, new dst, new ports, hop|flags, deltas
	second [16]uint32 // key src, key dst, new src, new dst
	out    uint32     // egress and MTU: in Go's side array, under the same generation
}

// Word numbers of image.words.
const (
	wSrc = iota
	wDst
	wPorts
	wNewSrc
	wNewDst
	wNewPorts
	wHop
	wDelta
)

func (m *image) pair() bool { return m.form&formPair != 0 }

// build makes the image of a direction; false if the action's protocol cannot
// be expressed.
func (m *image) build(k *Key, a *Action) bool {
	code, ok := protoCode(k.Proto, a.To.Proto)
	if !ok {
		return false
	}
	m.meta = packMeta(k.If, k.Proto, 0)
	m.form = formLive | code<<formProto
	m.words[wPorts] = packPorts(k.SrcPort, k.DstPort)
	m.words[wNewPorts] = packPorts(a.To.SrcPort, a.To.DstPort)
	m.words[wHop] = pack16(a.Hop, a.Flags)
	m.words[wDelta] = pack16(deltas(k, a))
	m.out = pack16(a.Egress, a.MTU)
	if k.Family == 6 {
		m.form |= formKey6 | formPair
	}
	if a.To.Family == 6 {
		m.form |= formNew6 | formPair
	}
	m.putAddrs(wSrc, 0, k.Family == 6, &k.Src, &k.Dst)
	m.putAddrs(wNewSrc, 8, a.To.Family == 6, &a.To.Src, &a.To.Dst)
	return true
}

// putAddrs stores two addresses at word w of the first slot, or at word s of
// the second one.
func (m *image) putAddrs(w, s int, v6 bool, src, dst *[16]byte) {
	if !v6 {
		m.words[w], m.words[w+1] = addrWord(src, 0), addrWord(dst, 0)
		return
	}
	for i := range 4 {
		m.second[s+i], m.second[s+4+i] = addrWord(src, i), addrWord(dst, i)
	}
}

// getAddrs reverses putAddrs.
func (m *image) getAddrs(w, s int, v6 bool, src, dst *[16]byte) (family uint8) {
	if !v6 {
		putAddrWord(src, 0, m.words[w])
		putAddrWord(dst, 0, m.words[w+1])
		return 4
	}
	for i := range 4 {
		putAddrWord(src, i, m.second[s+i])
		putAddrWord(dst, i, m.second[s+4+i])
	}
	return 6
}

// parse reverses build.
func (m *image) parse() (k Key, a Action) {
	k.If, k.Proto, _ = unpackMeta(m.meta)
	k.SrcPort, k.DstPort = unpackPorts(m.words[wPorts])
	k.Family = m.getAddrs(wSrc, 0, m.form&formKey6 != 0, &k.Src, &k.Dst)
	a.To.SrcPort, a.To.DstPort = unpackPorts(m.words[wNewPorts])
	a.To.Family = m.getAddrs(wNewSrc, 8, m.form&formNew6 != 0, &a.To.Src, &a.To.Dst)
	a.To.Proto = codeProto(k.Proto, m.form>>formProto&7)
	a.Hop, a.Flags = unpack16(m.words[wHop])
	a.Egress, a.MTU = unpack16(m.out)
	return k, a
}

// off is the offset of a slot in the memory.
func (t *Table) off(slot uint32) uintptr { return t.base + uintptr(slot)*SlotSize }

// check panics like a slice index would: a slot number from nowhere must not
// reach memory.
func (t *Table) check(slot uint32) {
	if slot >= t.slots {
		panic(fmt.Sprintf("pool: slot %d of %d", slot, t.slots))
	}
}

func (t *Table) formOf(slot uint32) uint8 {
	_, _, form := unpackMeta(t.mem.load32(t.off(slot) + offMeta))
	return form
}

// live tells whether slot is the first (or only) slot of a direction.
func (t *Table) live(slot uint32) bool {
	t.check(slot)
	return !t.second(slot) && t.formOf(slot)&formLive != 0
}

// second tells whether slot is the second one of a pair: its bytes are
// addresses, its form means nothing.
func (t *Table) second(slot uint32) bool { return slot&1 == 1 && t.isPair(slot-1) }

// isPair tells whether the direction in slot has a second slot.
func (t *Table) isPair(slot uint32) bool {
	const both = formLive | formPair
	return t.formOf(slot)&both == both
}

// publish writes an image under an odd generation.
func (t *Table) publish(slot uint32, m *image) {
	o := t.off(slot)
	gen := t.mem.load32(o + offGen)
	t.mem.store32(o+offGen, gen|1)
	t.mem.store32(o+offMeta, m.meta|packMeta(0, 0, m.form))
	for i, v := range m.words {
		t.mem.store32(o+offSrc+4*uintptr(i), v)
	}
	if m.pair() {
		for i, v := range m.second {
			t.mem.store32(o+SlotSize+4*uintptr(i), v)
		}
	}
	atomic.StoreUint32(&t.side[slot].out, m.out)
	t.mem.store32(o+offGen, (gen|1)+1)
}

// unpublish clears a slot, and its second, under an odd generation. The second
// is left all zero, fit to become a slot of its own.
func (t *Table) unpublish(slot uint32, pair bool) {
	o := t.off(slot)
	gen := t.mem.load32(o + offGen)
	t.mem.store32(o+offGen, gen|1)
	if pair {
		t.mem.clear(o+SlotSize, SlotSize) // before the form says that it is none
	}
	t.mem.clear(o+offMeta, offBytes-offMeta)
	t.mem.store32(o+offGen, (gen|1)+1)
}

// snapshot reads a slot under its generation; false when the writer was at it.
func (t *Table) snapshot(slot uint32, m *image) bool {
	o := t.off(slot)
	gen := t.mem.load32(o + offGen)
	if gen&1 != 0 {
		return false
	}
	ifc, proto, form := unpackMeta(t.mem.load32(o + offMeta))
	m.meta, m.form = packMeta(ifc, proto, 0), form
	for i := range m.words {
		m.words[i] = t.mem.load32(o + offSrc + 4*uintptr(i))
	}
	if form&formPair != 0 && slot&1 == 0 {
		for i := range m.second {
			m.second[i] = t.mem.load32(o + SlotSize + 4*uintptr(i))
		}
	}
	m.out = atomic.LoadUint32(&t.side[slot].out)
	return t.mem.load32(o+offGen) == gen
}
