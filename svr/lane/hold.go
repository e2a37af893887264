package lane

import "waymark/svr/packet"

// Limits of packets kept while their next-hop is being resolved. Right after a
// start every connection's next packet goes to the same gateway, and the one
// after it may be seconds away; and a datagram of 64 KB leaves in 45 pieces.
const (
	holdPerHop = 64
	holdAll    = 128
)

// holder keeps copies of packets whose next-hop has not answered yet.
type holder struct {
	slots []heldPacket
	slab  []byte
	n     int  // in use
	dirty bool // slab takes room
}

type heldPacket struct {
	ifc, hop uint16 // hop 0: free
	off, end int
	csum     packet.Csum
}

func (h *holder) init() {
	h.slots, h.slab = make([]heldPacket, holdAll), fresh[byte](holdAll*smallBuf)
}

// tidy gives the memory back while nothing waits.
func (h *holder) tidy() {
	if h.n == 0 && h.dirty {
		giveBack(h.slab)
		h.dirty = false
	}
}

func (h *holder) memory() int { return len(h.slab) }

// put copies p; false when there is no room for it.
func (h *holder) put(p *packet.Packet, ifc, hop uint16) bool {
	if h.n == len(h.slots) || p.Len() > smallBuf-Headroom {
		return false
	}
	for i := range h.slots {
		if s := &h.slots[i]; s.hop == 0 {
			n := copy(h.buf(i)[Headroom:], p.IP())
			*s = heldPacket{ifc: ifc, hop: hop, off: Headroom, end: Headroom + n, csum: p.Csum}
			h.n++
			h.dirty = true
			return true
		}
	}
	return false
}

func (h *holder) buf(i int) []byte { return h.slab[i*smallBuf : (i+1)*smallBuf] }

// take hands out the packets of a next-hop one after another; the bytes are
// valid until the next put. false when there are no more.
func (h *holder) take(hop uint16, p *packet.Packet) (ifc uint16, ok bool) {
	for i := range h.slots {
		s := &h.slots[i]
		if h.n == 0 || s.hop != hop {
			continue
		}
		p.Reset(h.buf(i), s.off, s.end, 0)
		p.Csum = s.csum
		ifc, s.hop = s.ifc, 0
		h.n--
		return ifc, true
	}
	return 0, false
}

// hold keeps p until its next-hop answers, or drops it.
func (l *Lane) hold(p *packet.Packet, ifc, hop uint16, h *hopEntry) {
	if h.state != HopUnresolved {
		l.counters.NoHop++
		return
	}
	if h.held == holdPerHop || superPacket(p) || !l.held.put(p, ifc, hop) {
		l.counters.HopDropped++
		return
	}
	h.held++
	l.counters.HopHeld++
}

// letGo sends what was kept for a next-hop that answered, or drops it.
func (l *Lane) letGo(id uint16) {
	h := &l.hops.slots[id]
	if h.held == 0 {
		return
	}
	h.held = 0
	var p packet.Packet
	for {
		ifc, ok := l.held.take(id, &p)
		if !ok {
			break
		}
		if h.state != HopResolved || p.Parse() != nil {
			l.counters.HopDropped++
			continue
		}
		l.Send(&p, ifc, id)
	}
	l.send1() // the kept bytes may be overwritten from now on
}
