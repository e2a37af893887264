package lane

import (
	"net/netip"
	"slices"

	"waymark/net/neigh"
	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

// resolve starts or ends the resolution of a next-hop: kernel neighbours for
// untagged interfaces, the interface's own station for tagged ones, nothing for
// devices without link addresses.
func (l *Lane) resolve(id uint16, start bool) {
	k := &l.hops.names[id]
	if !start {
		l.letGo(id) // state is HopFree: dropped
	}
	it := l.iface(k.ifc)
	switch {
	case it == nil: // later, by rebind
	case it.port.l3:
		if start {
			l.hops.set(id, [6]byte{}, HopResolved)
		}
	case it.station != nil && start:
		it.station.Resolve(l.now, id, k.addr, k.family)
		l.upkeep = 0 // its timers are to be looked at
	case it.station != nil:
		it.station.Forget(k.addr, k.family)
	default:
		a := packet.ToAddr(k.addr, k.family)
		l.neigh.want(neighKey{it.port.link.Index, a}, id, start)
	}
}

// rebind starts resolution anew after the interfaces changed, for the next-hops
// that are not resolved or lost their interface.
func (l *Lane) rebind() {
	for id := range l.hops.slots {
		h := &l.hops.slots[id]
		if h.refs == 0 {
			continue
		}
		if l.iface(l.hops.names[id].ifc) == nil {
			l.hops.set(uint16(id), [6]byte{}, HopUnresolved)
		} else if h.state != HopResolved {
			l.resolve(uint16(id), true)
		}
	}
}

// resolved takes a link address over, or its loss.
func (l *Lane) resolved(id uint16, mac [6]byte, st HopState) {
	if int(id) >= len(l.hops.slots) || l.hops.slots[id].refs == 0 {
		return
	}
	l.hops.set(id, mac, st)
	if st != HopUnresolved {
		l.letGo(id)
	}
}

// neighbour is called on the loop's goroutine with news of a kernel neighbour.
func (l *Lane) neighbour(id uint16, n neigh.Neighbour) {
	k := &l.hops.names[id]
	it := l.iface(k.ifc)
	if l.hops.slots[id].refs == 0 || it == nil || it.port.link.Index != n.Index ||
		packet.ToAddr(k.addr, k.family) != n.Addr {
		return // released and reused meanwhile
	}
	switch n.State {
	case neigh.Resolved:
		l.resolved(id, n.MAC, HopResolved)
	case neigh.Failed:
		l.resolved(id, [6]byte{}, HopFailed)
	case neigh.Unresolved:
		l.resolved(id, [6]byte{}, HopUnresolved)
	}
}

// newStation gives a tagged interface its station.
func (p *Port) newStation(it *iface) {
	if it.VLAN == 0 {
		it.station = nil
		return
	}
	vlan := it.VLAN
	if it.station != nil {
		it.station.SetAddrs(it.Addrs)
		return
	}
	it.station = l2.NewStation(p.link.MAC, it.Addrs,
		func(dst l2.MAC, typ uint16, b []byte) { p.sendFrame(dst, vlan, typ, b) },
		func(id uint16, mac l2.MAC, ok bool) {
			st := HopResolved
			if !ok {
				st = HopFailed
			}
			p.lane.resolved(id, mac, st)
		})
}

// SetAddrs replaces the router's own addresses on a network-interface; only
// tagged ones, which the lane answers for, have any here. Through Do.
func (l *Lane) SetAddrs(id uint16, addrs []netip.Prefix) {
	it := l.iface(id)
	if it == nil || it.station == nil || slices.Equal(it.Addrs, addrs) {
		return
	}
	it.Addrs = addrs
	it.station.SetAddrs(addrs)
	it.station.Announce()
}

// sendFrame queues a copy of a frame of our own.
func (p *Port) sendFrame(dst l2.MAC, vlan, etherType uint16, b []byte) {
	k := p.lane.Buffer(Small)
	if k == nil || len(b) > len(k.Buf)-Headroom {
		return
	}
	n := copy(k.Buf[Headroom:], b)
	if p.tx.full() {
		p.flush()
	}
	p.lane.small.markSent(&k.Buf[0])
	p.tx.addRaw(dst, p.link.MAC, vlan, etherType, k.Buf[Headroom:Headroom+n])
}

// maintain runs the stations' timers and asks the kernel again for what is not
// resolved; it returns when to be called next.
func (l *Lane) maintain() (next int64) {
	next = l.now + upkeepEvery
	for _, p := range l.ports {
		for i := range p.ifs {
			s := p.ifs[i].station
			if s == nil {
				continue
			}
			if due := s.Tick(l.now); due != 0 {
				next = min(next, due)
			}
		}
	}
	l.neigh.again(l.now)
	l.held.tidy()
	return next
}
