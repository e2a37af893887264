package lane

import "waymark/svr/packet"

// Send queues p for transmission on network-interface ifc to next-hop hop. The
// bytes must stay untouched until the batch is flushed; the Packet itself is
// free at return. p must be parsed. Packets of one flow leave in the order of
// the calls. Packets to a next-hop that is not resolved yet are kept, a few.
func (l *Lane) Send(p *packet.Packet, ifc, hop uint16) {
	l.transmit(p, ifc, hop, nil)
}

// merges tells whether packets of a kind are gathered on their way out.
func (s *sender) merges(it *iface, k packet.Kind) bool {
	switch k {
	case packet.KindTCP:
		return it.Coalesce || it.CoalesceSealed && s.tx.cutter.on
	case packet.KindUDP:
		return it.CoalesceUDP
	}
	return false
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
		p.reclaim()
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
