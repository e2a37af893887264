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

// copyCounters sets the counters of a fresh slot to those of another one.
func (t *Table) copyCounters(to, from uint32) {
	d, s := t.off(to), t.off(from)
	t.mem.store64(d+offBytes, t.mem.load64(s+offBytes))
	t.mem.store64(d+offPackets, t.mem.load64(s+offPackets))
	t.mem.store32(d+offSeen, t.mem.load32(s+offSeen))
	t.mem.store32(d+offTCP, t.mem.load32(s+offTCP))
}
