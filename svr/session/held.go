package session

import "waymark/svr/packet"

// heldTable keeps the first packets of sessions that a peer may know from
// before: it asks for proof and drops what came with the question, and the
// sender's next try may be seconds away.
type heldTable struct {
	slots []heldPacket
	next  int
	count int // slots in use
}

type heldPacket struct {
	session uint32
	csum    packet.Csum
	used    bool
	n       int
	buf     [maxHeld]byte
}

const (
	heldPackets = 64
	maxHeld     = 2048
)

// hold keeps a copy of p, the first packet of session i, after a cold start.
func (e *Engine) hold(p *packet.Packet, i uint32) {
	if !e.justBorn() || p.Len() > maxHeld || p.GSO != packet.GSONone || e.recs[i].leg[1].kind() != kindSVR {
		return
	}
	if e.held.slots == nil {
		e.held.slots = make([]heldPacket, heldPackets)
	}
	h := &e.held.slots[e.held.next]
	e.held.next = (e.held.next + 1) % heldPackets
	if !h.used {
		e.held.count++
	}
	h.session, h.csum, h.used = i, p.Csum, true
	h.n = copy(h.buf[:], p.Buf[p.Off:p.End])
}

// Tidy gives up memory that only the beginning needed, where it holds nothing.
func (e *Engine) Tidy() {
	if e.held.count == 0 {
		e.held.slots = nil
	}
}

// resend sends the packet held for session i again; false when there is none.
func (e *Engine) resend(i uint32) bool {
	for k := range e.held.slots {
		h := &e.held.slots[k]
		if !h.used || h.session != i {
			continue
		}
		h.used = false
		e.held.count--
		p := e.out.Buffer(false)
		if p == nil || len(p.Buf)-p.Off < h.n {
			e.stats.Add(DropBuffer, 1)
			return false
		}
		copy(p.Buf[p.Off:], h.buf[:h.n])
		p.Reset(p.Buf, p.Off, p.Off+h.n, e.recs[i].leg[0].ifc)
		if p.Parse() != nil {
			return false
		}
		p.Csum = h.csum
		e.toPeer(p, i, 0)
		return true
	}
	return false
}

// unhold forgets the packet of a session that ended or was answered.
func (e *Engine) unhold(i uint32) {
	if e.held.count == 0 {
		return
	}
	for k := range e.held.slots {
		if h := &e.held.slots[k]; h.used && h.session == i {
			h.used = false
			e.held.count--
		}
	}
}
