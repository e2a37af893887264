package lane

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

const (
	gatherFlows = 16 // super-packets per port and batch
	gatherMost  = 46 // segments of one super-packet
	gatherLen   = 65000
)

// gather merges TCP segments or UDP datagrams of one flow, sent in one batch,
// into one super-packet without copying: the message's iovec grows by the
// payloads of the segments, which lie where they were received. The kernel
// joins them while it copies. Packets keep the place of their first segment in
// the queue, and a packet of the same flow that cannot be merged ends the
// super-packet, so that the order within a flow is kept.
type gather struct {
	queue *txQueue
	flows []gatherFlow
	used  int                 // flows of this batch; messages point into them until the flush
	tags  [gatherFlows]uint32 // of the flows in use: most packets belong to none
}

// gatherFlow is one growing super-packet.
type gatherFlow struct {
	first   packet.Packet // its headers become the super-packet's
	msg     int           // position in the transmit queue
	link    *iface
	hop     uint16
	count   int    // segments
	next    uint32 // TCP: sequence number that continues it; UDP over IPv4: identification
	length  int    // IP length with all segments
	flags   uint8  // PSH and FIN of the last segment
	trusted bool   // checksum of the first segment is known to be right
	open    bool   // may still grow
	sealed  bool   // for the cutter
	step    uint32 // sealed: what each segment moves the sequence number by
	iov     [gatherMost + 1]unix.Iovec
}

func (g *gather) init(q *txQueue) { g.queue, g.flows = q, make([]gatherFlow, gatherFlows) }

// add merges k into the open super-packet of its flow. If it cannot, the
// super-packet is complete and the caller queues k by itself.
func (g *gather) add(k *packet.Packet, it *iface, hop uint16) (merged bool) {
	t := tag(k)
	for i := range g.used {
		f := &g.flows[i]
		if g.tags[i] != t || !f.open || f.first.T != k.T {
			continue
		}
		if f.link == it && f.hop == hop && f.accepts(k) {
			f.append(k)
			g.queue.counters.TxCoalesced++
			merged = true
		}
		if !merged || f.flags != 0 || k.End-k.Data < f.size() {
			f.finish(g.queue)
		}
		return merged
	}
	return false
}

// start opens a super-packet with k, which lies at position msg of the queue.
func (g *gather) start(k *packet.Packet, it *iface, hop uint16, msg int) {
	if g.used == len(g.flows) || !mergeable(k) || k.TCPFlags&(packet.FlagPSH|packet.FlagFIN) != 0 {
		return
	}
	f := &g.flows[g.used]
	g.tags[g.used] = tag(k)
	g.used++
	f.first, f.msg, f.link, f.hop = *k, msg, it, hop
	f.count, f.length, f.flags, f.trusted, f.open = 1, k.Len(), 0, false, true
	f.sealed = k.Kind == packet.KindTCP && !it.Coalesce
	f.next = follower(k)
}

// finish completes all super-packets: the queue may be sent.
func (g *gather) finish() {
	for i := range g.used {
		if g.flows[i].open {
			g.flows[i].finish(g.queue)
		}
	}
}

// reset forgets all super-packets after the queue was sent.
func (g *gather) reset() { g.used = 0 }

// append adds the payload of k.
func (f *gatherFlow) append(k *packet.Packet) {
	b := k.Buf[k.Data:k.End]
	v := &f.iov[f.count+1]
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
	f.count++
	f.length += len(b)
	f.next = follower(k)
	f.flags = k.TCPFlags & (packet.FlagPSH | packet.FlagFIN)
}

// finish turns the first segment's headers into those of the super-packet.
func (f *gatherFlow) finish(q *txQueue) {
	f.open = false
	if f.count == 1 {
		return
	}
	k := &f.first
	f.lengths(k)
	k.Csum, k.GSO, k.GSOSize = packet.CsumPartial, superKind(k), uint16(f.size())
	if f.sealed {
		f.finishCut(q)
	}
	h, m := &q.heads[f.msg], &q.hdrs[f.msg]
	payload := k.End
	k.End = k.Off + f.length // for writeVnet only: the bytes are not contiguous
	writeVnet((*[vnetLen]byte)(h.b[:]), k, int(h.len)-vnetLen)
	k.End = payload
	h.gso, h.ip = k.GSO, uint32(f.length)
	copy(f.iov[:2], q.iovs[f.msg][:])
	m.hdr.Iov = &f.iov[0]
	m.hdr.SetIovlen(f.count + 1)
}

// lengths writes what k's headers must say of the whole super-packet.
func (f *gatherFlow) lengths(k *packet.Packet) {
	b, n := k.Buf, f.length-(k.L4-k.Off)
	if k.V6() {
		binary.BigEndian.PutUint16(b[k.Off+4:], uint16(f.length-packet.IPv6Size))
	} else {
		binary.BigEndian.PutUint16(b[k.Off+2:], uint16(f.length))
		b[k.Off+10], b[k.Off+11] = 0, 0
		binary.BigEndian.PutUint16(b[k.Off+10:], packet.Checksum(b[k.Off:k.L4]))
	}
	if k.Kind == packet.KindUDP {
		binary.BigEndian.PutUint16(b[k.L4+4:], uint16(n))
		binary.BigEndian.PutUint16(b[k.L4+csumUDP:], pseudoSum(k, n))
		return
	}
	b[k.L4+13] |= f.flags
	binary.BigEndian.PutUint16(b[k.L4+csumTCP:], pseudoSum(k, n))
}

// pseudoSum is the folded sum of the pseudo-header for n bytes of L4.
func pseudoSum(k *packet.Packet, n int) uint16 {
	s := uint32(k.T.Proto) + uint32(n)
	addrs := k.Buf[k.Off+12 : k.Off+20]
	if k.V6() {
		addrs = k.Buf[k.Off+8 : k.Off+40]
	}
	for ; len(addrs) > 0; addrs = addrs[2:] {
		s += uint32(binary.BigEndian.Uint16(addrs))
	}
	s = s&0xffff + s>>16
	return uint16(s + s>>16)
}
