package session

import (
	"encoding/binary"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

// What an ICMP error quotes of a packet between routers, and what of it goes on.

// hideInner cuts from the quote of an error that arrived on leg l what the
// sender on the other leg did not send, or must not travel between routers:
// metadata, ciphertext, and decrypted data. What of a transformed packet's own
// header is known stays.
func (e *Engine) hideInner(p *packet.Packet, q *packet.Quote, r *record, l int) {
	switch {
	case r.leg[l].kind() == kindSVR:
		if r.proto == packet.ProtoTCP && !q.HasSeq {
			q.Seq, q.HasSeq = r.tcp.oldest(1-l), true
		}
		if isEcho(r.proto) {
			q.Seq = e.quotedEcho(p, q, r, l)
		}
		q.End = q.Data
	case r.leg[1-l].kind() == kindSVR:
		q.End = q.Data
	}
}

// showInner completes error b, built from q, for leg 1-l: between routers
// nothing but outer headers, towards the host its own echo sequence number.
func (e *Engine) showInner(b *packet.Packet, q *packet.Quote, r *record, l int) {
	at := b.Data + packet.IPv4Size
	if b.V6() {
		at = b.Data + packet.IPv6Size
	}
	switch {
	case r.leg[1-l].kind() == kindSVR:
		if extra := b.End - at - packet.UDPSize; extra > 0 {
			b.Trim(extra)
		}
	case r.leg[l].kind() == kindSVR && q.T.Proto != r.proto && isEcho(r.proto) && b.End >= at+packet.ICMPSize:
		binary.BigEndian.PutUint16(b.Buf[at+6:], uint16(q.Seq))
	default:
		return
	}
	b.Finish()
}

// quotedEcho returns the sequence number of the echo message that q quotes a
// transformed packet of: from the quote when it is long enough and in the
// clear, otherwise the last one that went that way.
func (e *Engine) quotedEcho(p *packet.Packet, q *packet.Quote, r *record, l int) uint32 {
	last := r.tcp.end[1-l]
	if q.T.Proto != packet.ProtoUDP || q.Data >= q.End || e.encrypted(r) {
		return last
	}
	b := p.Buf[q.Data:q.End]
	if wire.HasCookie(b) {
		if len(b) < wire.HeaderSize {
			return last
		}
		n := int(binary.BigEndian.Uint16(b[8:])&0xfff) + int(binary.BigEndian.Uint16(b[10:]))
		b = b[min(n, len(b)):]
	}
	if len(b) < packet.ICMPSize || binary.BigEndian.Uint16(b[4:]) != r.port[0] {
		return last
	}
	return uint32(binary.BigEndian.Uint16(b[6:]))
}

// echoSeq returns the sequence number of an echo message.
func echoSeq(p *packet.Packet) uint32 {
	return uint32(binary.BigEndian.Uint16(p.Buf[p.L4+6:]))
}
