package session

import (
	"encoding/binary"

	"waymark/svr/packet"
)

// TCP flags (RFC 9293 section 3.1).
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// tcpState follows the two directions of a TCP connection, indexed by the leg
// the segment arrived on. A segment is believed only inside the window
// (RFC 5961): no digest covers a native TCP header.
type tcpState struct {
	end   [2]uint32 // highest sequence number sent, plus length
	ack   [2]uint32 // highest acknowledgement sent, valid with tcpAcked
	win   [2]uint16 // last window offered, as the header has it
	bits  [2]uint8
	scale uint8 // shift counts, four bits each: direction 0 in the lower ones
	whole tcpBits
}

// tcpBits are what holds for both directions. Above them stands for how many
// looks more numbers are followed though the lane in the kernel could have the
// connection (watched).
type tcpBits uint8

const (
	tcpReset tcpBits = 1 << iota // a RST counted
	tcpBlind                     // the lane in the kernel forwards data too: end, ack and win are of long ago
	tcpWatch                     // one look
)

func (t *tcpState) reset() bool { return t.whole&tcpReset != 0 }
func (t *tcpState) blind() bool { return t.whole&tcpBlind != 0 }

func (t *tcpState) put(b tcpBits, on bool) {
	if t.whole &^= b; on {
		t.whole |= b
	}
}

func (t *tcpState) watched() int { return int(t.whole / tcpWatch) }
func (t *tcpState) watch(n int)  { t.whole = t.whole&(tcpWatch-1) | tcpBits(n)*tcpWatch }

const (
	tcpKnown  = 1 << iota // end, ack and win are valid
	tcpSYN                // a SYN was seen
	tcpFIN                // a FIN inside the window was seen
	tcpScaled             // the SYN offered window scaling
	tcpAcked              // ack is valid: a SYN acknowledges nothing
	tcpPlain              // win is of a SYN, which is never scaled
)

// tcpHeader is what tracking reads of a segment.
type tcpHeader struct {
	seq, ack uint32
	win      uint16
	flags    uint8
	length   uint32 // sequence space the segment takes
}

// readTCP reads the header of p, which Parse found whole.
func readTCP(p *packet.Packet) tcpHeader {
	b := p.Buf[p.L4:]
	h := tcpHeader{
		seq: binary.BigEndian.Uint32(b[4:]), ack: binary.BigEndian.Uint32(b[8:]),
		win: binary.BigEndian.Uint16(b[14:]), flags: b[13],
		length: uint32(p.End - p.Data),
	}
	if h.flags&flagSYN != 0 {
		h.length++
	}
	if h.flags&flagFIN != 0 {
		h.length++
	}
	return h
}

// windowScale returns the shift count of a SYN (RFC 7323 section 2.2).
func windowScale(p *packet.Packet) (shift uint8, ok bool) {
	opt := p.Buf[p.L4+20 : p.Data]
	for len(opt) >= 2 && opt[0] != 0 {
		if opt[0] == 1 {
			opt = opt[1:]
			continue
		}
		n := int(opt[1])
		if n < 2 || n > len(opt) {
			break
		}
		if opt[0] == 3 && n == 3 {
			return min(opt[2], 14), true
		}
		opt = opt[n:]
	}
	return 0, false
}

// observe follows segment p, which arrived on leg d.
func (t *tcpState) observe(p *packet.Packet, d int) { t.observeSealed(p, d, 0) }

// observeSealed follows a segment whose data is ciphertext, at most overhead
// bytes longer than what it hides.
func (t *tcpState) observeSealed(p *packet.Packet, d, overhead int) {
	h := readTCP(p)
	h.length -= uint32(min(overhead, p.End-p.Data))
	if h.flags&flagRST != 0 {
		if t.blind() || t.inWindow(h.seq, d) {
			t.put(tcpReset, true)
		}
		return
	}
	end := h.seq + h.length
	first := t.bits[d]&tcpKnown == 0
	if h.flags&flagSYN != 0 {
		if t.established() || t.closedBothWays() && h.flags&flagACK != 0 {
			return // a late copy, or a lie (RFC 5961 section 4)
		}
		if t.closedBothWays() {
			*t = tcpState{} // a new connection of the same addresses and ports
		}
		t.open(p, d)
		first = true
	}
	first = first || t.blind()
	if !first && !t.plausible(h.seq, d) {
		return
	}
	further := first || int32(end-t.end[d]) > 0
	if further {
		t.end[d] = end
	}
	if h.flags&flagACK != 0 && (first || t.bits[d]&tcpAcked == 0 || int32(h.ack-t.ack[d]) > 0) {
		t.ack[d] = h.ack
		t.bits[d] |= tcpAcked
	}
	t.win[d] = h.win
	if t.bits[d] = t.bits[d]&^tcpPlain | tcpKnown; h.flags&flagSYN != 0 {
		t.bits[d] |= tcpPlain
	}
	if h.flags&flagFIN != 0 {
		t.bits[d] |= tcpFIN
	} else if h.length > 0 && further {
		t.bits[d] &^= tcpFIN // new data behind a FIN: the FIN was a lie
	}
	if h.length > 0 {
		t.put(tcpReset, false)
	}
}

// established: both sides were heard and neither reset nor both FINs came.
func (t *tcpState) established() bool {
	return t.bits[0]&t.bits[1]&tcpKnown != 0 && !t.closedBothWays()
}

// open starts direction d at a SYN.
func (t *tcpState) open(p *packet.Packet, d int) {
	t.bits[d] = tcpSYN
	t.put(tcpReset, false)
	if s, ok := windowScale(p); ok {
		t.scale = t.scale&^(15<<(4*d)) | s<<(4*d)
		t.bits[d] |= tcpScaled
	}
}

// window is what direction d offers, in bytes; in a SYN it is never scaled. A
// connection whose SYNs were not seen counts with the largest scale in use.
func (t *tcpState) window(d int) uint32 {
	w := t.win[d]
	switch {
	case t.bits[d]&tcpPlain != 0:
		return uint32(w)
	case t.bits[0]&tcpSYN == 0 || t.bits[1]&tcpSYN == 0:
		return uint32(w) << 8
	case t.bits[0]&tcpScaled != 0 && t.bits[1]&tcpScaled != 0:
		return uint32(w) << (t.scale >> (4 * d) & 15)
	}
	return uint32(w)
}

// plausible says whether a segment of direction d at seq lies within what the
// other side may still accept or may see again.
func (t *tcpState) plausible(seq uint32, d int) bool {
	o := 1 - d
	if t.bits[o]&tcpKnown == 0 {
		return true
	}
	room := max(t.window(o), 65535)
	low := t.end[d] - room - 65535
	return int32(seq-low) >= 0 && int32(seq-(t.acked(d)+room+65535)) <= 0
}

// acked is how far the other side acknowledged direction d; before it ever did,
// all that d sent.
func (t *tcpState) acked(d int) uint32 {
	if t.bits[1-d]&tcpAcked == 0 {
		return t.end[d]
	}
	return t.ack[1-d]
}

// inWindow says whether seq of direction d is inside the other side's window.
func (t *tcpState) inWindow(seq uint32, d int) bool {
	o := 1 - d
	if t.bits[o]&tcpKnown == 0 {
		// Only a SYN went the other way: its RST acknowledges it.
		return t.bits[d]&tcpKnown == 0
	}
	if t.bits[d]&tcpKnown == 0 {
		return true // RST in answer to a SYN
	}
	low := t.acked(d)
	return int32(seq-low) >= 0 && int32(seq-(low+max(t.window(o), 1))) <= 0
}

// quoted says whether a sequence number that an ICMP error quotes was sent in
// direction d and is not long acknowledged.
func (t *tcpState) quoted(seq uint32, d int) bool {
	if t.bits[d]&tcpKnown == 0 {
		return false
	}
	low := t.ack[1-d] - 1
	if t.bits[1-d]&tcpAcked == 0 {
		low = t.end[d] - 65535
	}
	return int32(seq-low) >= 0 && int32(seq-t.end[d]) <= 0
}

// oldest is a sequence number of direction d that may be on its way: the first
// that is not acknowledged, of a SYN before any is.
func (t *tcpState) oldest(d int) uint32 {
	if t.bits[1-d]&tcpKnown == 0 {
		return t.end[d] - 1
	}
	return t.ack[1-d]
}

// closedBothWays: two FINs, or a RST that counted.
func (t *tcpState) closedBothWays() bool {
	return t.reset() || t.bits[0]&tcpFIN != 0 && t.bits[1]&tcpFIN != 0
}
