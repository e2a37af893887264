package lane

import (
	"unsafe"

	"waymark/svr/packet"
)

// Send queues p for transmission on network-interface ifc to next-hop hop. The
// bytes must stay untouched until the batch is flushed; the Packet itself is
// free at return. p must be parsed. Packets of one flow leave in the order of
// the calls. Packets to a next-hop that is not resolved yet are kept, a few.
func (l *Lane) Send(p *packet.Packet, ifc, hop uint16) {
	it := l.iface(ifc)
	if it == nil {
		l.counters.NoInterface++
		return
	}
	if int(hop) >= len(l.hops.slots) {
		l.counters.NoHop++
		return
	}
	h := &l.hops.slots[hop]
	if h.state != HopResolved {
		l.hold(p, ifc, hop, h)
		return
	}
	l.small.markSent(unsafe.SliceData(p.Buf))
	l.large.markSent(unsafe.SliceData(p.Buf))
	it.port.send(p, it, h.mac, hop)
}

// send queues p towards mac.
func (port *Port) send(p *packet.Packet, it *iface, mac [6]byte, hop uint16) {
	q := &port.tx
	merges := it.merges(p.Kind)
	if merges && port.gather.add(p, it, hop) {
		return
	}
	if q.full() {
		port.flush()
	}
	if superPacket(p) && q.offloads&offloadOf(p.GSO) == 0 {
		port.gather.finish()
		q.addCut(p, mac, port.link.MAC, it.VLAN, port.l3)
		port.gather.reset()
		return
	}
	if p.Csum == packet.CsumPartial && !completable(p, q.offloads) {
		p.CompleteCsum()
	}
	i := q.add(p, mac, port.link.MAC, it.VLAN, port.l3)
	if merges && q.offloads&offloadOf(superKind(p)) != 0 {
		port.gather.start(p, it, hop, i)
	}
}

// merges tells whether packets of a kind are gathered on their way out.
func (it *iface) merges(k packet.Kind) bool {
	return it.Coalesce && k == packet.KindTCP || it.CoalesceUDP && k == packet.KindUDP
}

// completable tells whether the device or the kernel will complete the
// checksum: always for super-packets.
func completable(p *packet.Packet, o Offload) bool {
	return superPacket(p) || o&OffloadCsum != 0 && (p.Kind == packet.KindTCP || p.Kind == packet.KindUDP)
}

// Buffer returns a spare packet with head- and tailroom: p.Off = p.End =
// Headroom. It is the caller's until it was sent or the batch is flushed. nil
// (and counted) when there is none. When small ones run out the lane sends what
// is queued to get some back: packets sent before must not be touched then.
func (l *Lane) Buffer(s Size) *packet.Packet {
	p := &l.small
	if s == Large {
		p = &l.large
	}
	k := p.get()
	if k == nil {
		l.send1()
		p.reclaim(false)
		k = p.get()
	}
	if k == nil {
		l.counters.NoBuffer++
	}
	return k
}

// longBatch is how many super-packets a batch takes: few, so that what was
// copied in is still in the cache when it is copied out.
const longBatch = 2

// longBuffer returns a large packet for receiving; nil when the batch has had
// its share. At least half of them stay for the handler.
func (l *Lane) longBuffer() *packet.Packet {
	if l.longs >= min(longBatch, l.cfg.Large/2) {
		return nil
	}
	k := l.large.get()
	if k != nil {
		l.longs++
	}
	return k
}
