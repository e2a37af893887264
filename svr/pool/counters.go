package pool

import "sync/atomic"

// Count adds a packet batch to a direction, in the words that the BPF lane uses.
// Any goroutine.
func (t *Table) Count(slot uint32, packets, bytes uint64, now int64) {
	t.check(slot)
	o := t.off(slot)
	atomic.AddUint64(t.mem.u64(o+offBytes), bytes)
	atomic.AddUint64(t.mem.u64(o+offPackets), packets)
	t.mem.store32(o+offSeen, t.seenTick(now))
}

// MarkTCP adds TCP flags to those seen in a direction. Any goroutine.
func (t *Table) MarkTCP(slot uint32, flags uint8) {
	t.check(slot)
	if p := t.mem.u32(t.off(slot) + offTCP); ^atomic.LoadUint32(p)&uint32(flags) != 0 {
		atomic.OrUint32(p, uint32(flags))
	}
}

// ClearTCP forgets the TCP flags seen in a direction: a new connection took its
// addresses and ports. Any goroutine.
func (t *Table) ClearTCP(slot uint32) {
	t.check(slot)
	atomic.StoreUint32(t.mem.u32(t.off(slot)+offTCP), 0)
}

// Counters returns what either lane counted. lastSeen is the end of the 16.8 ms
// tick of the last packet, so up to that much after it, and 0 when there was no
// packet; tcpFlags is the union of all flags. Any goroutine.
func (t *Table) Counters(slot uint32) (packets, bytes uint64, lastSeen int64, tcpFlags uint8) {
	t.check(slot)
	o := t.off(slot)
	packets, bytes = t.mem.load64(o+offPackets), t.mem.load64(o+offBytes)
	if tick := t.mem.load32(o + offSeen); tick != 0 {
		lastSeen = (int64(tick)+1)<<seenShift - 1 - t.clock
	}
	return packets, bytes, lastSeen, uint8(t.mem.load32(o + offTCP))
}

// seenTick is the last-seen word for now; never 0, which means never.
func (t *Table) seenTick(now int64) uint32 {
	return max(uint32((now+t.clock)>>seenShift), 1)
}

// tally is what the lanes counted in a direction.
type tally struct {
	bytes, packets uint64
	seen, tcp      uint32
}

func (t *Table) tally(slot uint32) tally {
	o := t.off(slot)
	return tally{t.mem.load64(o + offBytes), t.mem.load64(o + offPackets), t.mem.load32(o + offSeen), t.mem.load32(o + offTCP)}
}

// startFrom sets the counters of a slot that nobody can find yet.
func (t *Table) startFrom(slot uint32, c tally) {
	o := t.off(slot)
	t.mem.store64(o+offBytes, c.bytes)
	t.mem.store64(o+offPackets, c.packets)
	t.mem.store32(o+offSeen, c.seen)
	t.mem.store32(o+offTCP, c.tcp)
}

// addSince adds to a slot what another one counted after before was taken.
func (t *Table) addSince(to, from uint32, before tally) {
	c, o := t.tally(from), t.off(to)
	if c == before {
		return
	}
	atomic.AddUint64(t.mem.u64(o+offBytes), c.bytes-before.bytes)
	atomic.AddUint64(t.mem.u64(o+offPackets), c.packets-before.packets)
	atomic.OrUint32(t.mem.u32(o+offTCP), c.tcp)
	if int32(c.seen-t.mem.load32(o+offSeen)) > 0 {
		t.mem.store32(o+offSeen, c.seen)
	}
}

// most raises the counters of a slot to those of another.
func (t *Table) most(slot, other uint32) {
	a, b := t.tally(slot), t.tally(other)
	t.startFrom(slot, tally{max(a.bytes, b.bytes), max(a.packets, b.packets), max(a.seen, b.seen), a.tcp | b.tcp})
}
