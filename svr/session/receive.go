package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// Receive takes one packet (or super-packet) that arrived on p.If. It works in
// place: what leaves was handed to Output.Send before Receive returns. Packets
// for the box itself are left alone; the kernel has its own copy.
func (e *Engine) Receive(p *packet.Packet) {
	if err := p.Parse(); err != nil {
		e.stats.Add(DropMalformed, 1)
		return
	}
	e.receive(p)
}

// receive takes a packet that was parsed.
func (e *Engine) receive(p *packet.Packet) {
	switch p.Kind {
	case packet.KindFragment:
		e.reassemble(p)
	case packet.KindICMPError:
		e.icmpError(p)
	case packet.KindTCP, packet.KindUDP, packet.KindEcho:
		e.receiveFlow(p)
	default:
		e.stats.Add(DropProtocol, 1)
	}
}

func (e *Engine) receiveFlow(p *packet.Packet) {
	k := pool.Key{Tuple: p.T, If: p.If}
	if s, ok := e.table.Lookup(&k); ok {
		e.established(p, s)
		return
	}
	if _, own := e.own[addrKey(p.T.Dst, p.T.Family)]; !own {
		e.open(p)
		return
	}
	e.receiveOwn(p)
}

// receiveOwn takes a packet to one of our addresses that belongs to no session.
func (e *Engine) receiveOwn(p *packet.Packet) {
	echo := p.Kind == packet.KindEcho
	switch port := p.T.DstPort; {
	case !echo && e.isWayport(p.If, port):
		if p.GSO != packet.GSONone {
			e.arriveSegments(p)
			return
		}
		if b := p.Payload(); wire.HasCookie(b) && !wire.FalsePositive(b) {
			e.arrive(p)
			return
		}
		e.stranger(p)
	case !echo && port >= breakoutFirst && port <= breakoutLast:
		e.hairpin(p)
	default:
		e.stats.Add(ForHost, 1)
		if e.cfg.Local != nil && e.tables.Interfaces[p.If].VLAN != 0 {
			e.cfg.Local(p)
		}
	}
}

// arriveSegments takes a super-packet apart: each segment may bring metadata of
// its own, and the first may make the session that the next belong to.
func (e *Engine) arriveSegments(p *packet.Packet) {
	e.eachSegment(p, func(b *packet.Packet) bool { e.receiveFlow(b); return true })
}

// established forwards a packet of direction d of a known session.
func (e *Engine) established(p *packet.Packet, slot uint32) {
	owner := e.table.Owner(slot)
	i, d := owner>>1, int(owner&1)
	r := &e.recs[i]
	if r.short().has(d) && e.forwardSimple(p, r, slot, d) {
		return
	}
	e.table.PrefetchSlot(r.slot[1-d])
	if r.leg[d].kind() == kindSVR {
		e.decode(p, i, d, false)
		return
	}
	e.fromHost(p, i, d)
}

// forwardSimple is the short way: nothing changes but addresses, ports, TTL
// and checksums. It answers false when the packet needs the long way.
func (e *Engine) forwardSimple(p *packet.Packet, r *record, slot uint32, d int) bool {
	if p.Kind == packet.KindTCP && p.TCPFlags&(flagSYN|flagFIN|flagRST) != 0 {
		return false
	}
	if p.TTL() <= 1 || e.hasCookie(p) {
		return false
	}
	a := e.table.Action(slot)
	if !fits(p, &a.To, e.mtuOf(r, d, &a)) {
		return false
	}
	n, packets := p.Len(), segments(p)
	if !p.Readdress(a.To) {
		return false
	}
	p.DecTTL()
	e.table.Count(slot, uint64(packets), uint64(n), e.now)
	e.stats.Add(Forwarded, uint64(packets))
	r.active = stampOf(e.now)
	if p.Kind == packet.KindTCP {
		closed := r.tcp.closedBothWays()
		r.tcp.observe(p, d)
		e.turned(e.table.Owner(slot)>>1, closed)
	}
	e.out.Send(p, r.leg[1-d].ifc, a.Hop)
	return true
}

// hasCookie looks for the cookie behind the L4 header of every segment.
func (e *Engine) hasCookie(p *packet.Packet) bool {
	b := p.Payload()
	if p.GSO == packet.GSONone || p.GSOSize == 0 {
		return wire.HasCookie(b)
	}
	for len(b) > 0 {
		if wire.HasCookie(b) {
			return true
		}
		b = b[min(int(p.GSOSize), len(b)):]
	}
	return false
}

// fits says whether p, or each of its segments, fits mtu when it leaves as to.
func fits(p *packet.Packet, to *packet.Tuple, mtu int) bool {
	n := p.Len()
	if p.GSO != packet.GSONone {
		n = p.Data - p.Off + int(p.GSOSize)
	}
	if to.Family != p.T.Family {
		if to.Family == 6 {
			n += 20
		} else {
			n -= 20
		}
	}
	return n <= mtu
}

// segments is how many packets p is on the wire.
func segments(p *packet.Packet) int {
	if p.GSO == packet.GSONone || p.GSOSize == 0 {
		return 1
	}
	return max(1, (p.End-p.Data+int(p.GSOSize)-1)/int(p.GSOSize))
}
