package pool

import "fmt"

// image is the Go-written part of a slot, and of its second slot, in words.
type image struct {
	meta   uint32 // ingress and protocol with form 0
	form   uint8
	words  [8]uint32       // src, dst, ports, new src, new dst, new ports, hop|flags, deltas
	second [2 * six]uint32 // of the second slot: new addresses, key addresses
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
	if k.Family == 6 {
		m.form |= formKey6 | formPair
	}
	if a.To.Family == 6 {
		m.form |= formNew6 | formPair
	}
	m.putAddrs(wSrc, six, k.Family == 6, &k.Src, &k.Dst)
	m.putAddrs(wNewSrc, 0, a.To.Family == 6, &a.To.Src, &a.To.Dst)
	return true
}

// putAddrs stores two addresses at word w of the first slot, or at word s of
// the second one and, the eighth word, at w+1 of the first.
func (m *image) putAddrs(w, s int, v6 bool, src, dst *[16]byte) {
	if !v6 {
		m.words[w], m.words[w+1] = addrWord(src, 0), addrWord(dst, 0)
		return
	}
	for i := range 4 {
		m.second[s+i] = addrWord(src, i)
	}
	for i := range 3 {
		m.second[s+4+i] = addrWord(dst, i)
	}
	m.words[w+1] = addrWord(dst, 3)
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
	}
	for i := range 3 {
		putAddrWord(dst, i, m.second[s+4+i])
	}
	putAddrWord(dst, 3, m.words[w+1])
	return 6
}

// link names the second slot where the IPv6 addresses would be.
func (m *image) link(second uint32) {
	if m.form&formKey6 != 0 {
		m.words[wSrc] = second
	}
	if m.form&formNew6 != 0 {
		m.words[wNewSrc] = second
	}
}

// linked reverses link; none when neither side is IPv6.
func (m *image) linked() uint32 {
	switch {
	case m.form&formKey6 != 0:
		return m.words[wSrc]
	case m.form&formNew6 != 0:
		return m.words[wNewSrc]
	}
	return none
}

// parse reverses build.
func (m *image) parse() (k Key, a Action) {
	m.key(&k)
	m.action(&a)
	return k, a
}

// key fills a key that is zero.
func (m *image) key(k *Key) {
	k.If, k.Proto, _ = unpackMeta(m.meta)
	k.SrcPort, k.DstPort = unpackPorts(m.words[wPorts])
	k.Family = m.getAddrs(wSrc, six, m.form&formKey6 != 0, &k.Src, &k.Dst)
}

// action fills an action that is zero.
func (m *image) action(a *Action) {
	_, proto, _ := unpackMeta(m.meta)
	a.To.SrcPort, a.To.DstPort = unpackPorts(m.words[wNewPorts])
	a.To.Family = m.getAddrs(wNewSrc, 0, m.form&formNew6 != 0, &a.To.Src, &a.To.Dst)
	a.To.Proto = codeProto(proto, m.form>>formProto&7)
	a.Hop, a.Flags = unpack16(m.words[wHop])
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
	return t.formOf(slot)&formLive != 0
}

// secondOf returns the second slot of the direction in slot; none when it has
// none, or when the memory says nonsense. Writer only.
func (t *Table) secondOf(slot uint32) uint32 {
	form, at := t.formOf(slot), t.off(slot)
	switch {
	case form&(formLive|formPair) != formLive|formPair:
		return none
	case form&formKey6 != 0:
		at += offSrc
	default:
		at += offNewSrc
	}
	if s := t.mem.load32(at); s < t.slots {
		return s
	}
	return none
}

// publish writes an image under an odd generation.
func (t *Table) publish(s spot, m *image) {
	o := t.off(s.slot)
	gen := t.mem.open(o + offGen)
	if m.pair() {
		m.link(s.second)
		t.publishSecond(s.second, m)
	}
	t.mem.store32(o+offMeta, m.meta|packMeta(0, 0, m.form))
	for i, v := range m.words {
		t.mem.store32(o+offSrc+4*uintptr(i), v)
	}
	t.mem.store32(o+offGen, gen+1)
}

// publishSecond writes the second slot; its form comes first and stays.
func (t *Table) publishSecond(second uint32, m *image) {
	o := t.off(second)
	t.mem.store32(o+offMeta, packMeta(0, 0, formSecond))
	for i, v := range m.second {
		t.mem.store32(o+offNew6+4*uintptr(i), v)
	}
}

// unpublish clears a slot, and its second, under an odd generation, and writes
// when it did. It returns the second slot, or none.
func (t *Table) unpublish(slot uint32) (second uint32) {
	second = t.secondOf(slot)
	t.clearFirst(slot)
	if second != none {
		t.clearSecond(second)
	}
	return second
}

func (t *Table) clearFirst(slot uint32) {
	o := t.off(slot)
	gen := t.mem.open(o + offGen)
	t.mem.clear(o+offMeta, offBytes-offMeta)
	t.mem.store32(o+offGone, t.seenTick(t.now))
	t.mem.settle32(o+offGen, gen+1) // before the caller reads what was counted till then
	t.tags.set(slot, 0)
}

func (t *Table) clearSecond(second uint32) {
	o := t.off(second)
	t.mem.clear(o+offMeta, SlotSize-offMeta)
	t.mem.store32(o+offGone, t.seenTick(t.now))
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
	if second := m.linked(); form&formLive != 0 && second < t.slots {
		o := t.off(second)
		for i := range m.second {
			m.second[i] = t.mem.load32(o + offNew6 + 4*uintptr(i))
		}
	}
	return t.mem.load32(o+offGen) == gen
}
