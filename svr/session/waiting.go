package session

import "waymark/svr/packet"

// waitTable keeps the newest packet of TCP flows that wait after a cold start
// for a peer to speak up. When nobody did within the second, that packet opens
// the session: the host's next try may be seconds away by then.
type waitTable struct {
	slots []waitingPacket
	count int // slots in use
}

type waitingPacket struct {
	hash  uint64
	first int64 // when the flow was first seen
	csum  packet.Csum
	ifc   uint16
	n     int // bytes kept, 0: the slot is free
	buf   [maxHeld]byte
}

const waitingFlows = 64

// keep takes a copy of p, whose flow waits since first.
func (t *waitTable) keep(p *packet.Packet, hash uint64, first int64) {
	if p.Len() > maxHeld || p.GSO != packet.GSONone {
		return
	}
	if t.slots == nil {
		t.slots = make([]waitingPacket, waitingFlows)
	}
	w := &t.slots[hash%waitingFlows]
	if w.n > 0 && w.hash != hash {
		return // the older flow keeps its place
	}
	if w.n == 0 {
		t.count++
	}
	w.hash, w.first, w.csum, w.ifc = hash, first, p.Csum, p.If
	w.n = copy(w.buf[:], p.Buf[p.Off:p.End])
}

// release takes the packets whose second is over as if they came now.
func (e *Engine) release() {
	if e.waiting.count == 0 {
		return
	}
	for k := range e.waiting.slots {
		w := &e.waiting.slots[k]
		if w.n == 0 || e.now-w.first < second {
			continue
		}
		n := w.n
		w.n = 0
		e.waiting.count--
		p := e.out.Buffer(false)
		if p == nil || len(p.Buf)-p.Off < n {
			e.stats.Add(DropBuffer, 1)
			continue
		}
		copy(p.Buf[p.Off:], w.buf[:n])
		p.Reset(p.Buf, p.Off, p.Off+n, w.ifc)
		p.Csum = w.csum
		if p.Parse() == nil {
			e.receiveFlow(p)
		}
	}
}
