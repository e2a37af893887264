package packet

// BuildICMPFromQuote writes to dst.Buf at dst.Off the ICMP error about, whose
// quote is q, as an error about the tuple quoted: from src to to, of quoted's
// family, hop limit and DSCP as in about. Type and code are mapped as RFC 7915
// says; mtu is what a too-big error tells.
//
// The quoted headers are rebuilt and as much as was quoted of the rest follows.
// TCP in a UDP transform, or an echo message in UDP, becomes plain and the
// reverse; where the quoted data behind the UDP header is metadata or
// encrypted, set q.End = q.Data before, and q.Seq with q.HasSeq if known. q.Seq
// is what the quoted TCP header will have whenever q.HasSeq is set.
//
// False when the error has no counterpart, the protocols do not fit, or dst is
// too small. dst must not share memory with about.
func BuildICMPFromQuote(dst, about *Packet, q *Quote, src, to [16]byte, quoted Tuple, mtu int) bool {
	head, ok := q.translate(quoted.Family, mtu)
	if !ok || !q.convertible(&quoted) {
		return false
	}
	ip, limit := IPv4Size, maxError4
	if quoted.Family == 6 {
		ip, limit = IPv6Size, maxError6
	}
	room := min(limit-ip-ICMPSize-ip, q.End-q.L4+UDPSize)
	t := errorTuple(quoted.Family, src, to)
	if !lay(dst, KindICMPError, &t, about.TTL(), about.TOS(), ip+room) {
		return false
	}
	l4 := dst.Buf[dst.Data+ip : dst.End]
	n, grown := q.copyL4(l4, about, &quoted)
	dst.End = dst.Data + ip + n
	q.putIP(dst.Buf[dst.Data:dst.Data+ip], about, &quoted, n, grown)
	dst.putICMP(head.typ, head.code, head.rest)
	dst.Finish()
	return true
}

// convertible tells whether the quoted protocol can stand for that of t.
func (q *Quote) convertible(t *Tuple) bool {
	if q.T.Proto == t.Proto {
		return q.T.Proto != ProtoICMP && q.T.Proto != ProtoICMPv6 || q.T.Family == t.Family
	}
	echo := t.Proto == ProtoICMP && t.Family == 4 || t.Proto == ProtoICMPv6 && t.Family == 6
	switch q.T.Proto {
	case ProtoUDP:
		return t.Proto == ProtoTCP || echo
	case ProtoTCP, ProtoICMP, ProtoICMPv6:
		return t.Proto == ProtoUDP
	}
	return false
}

// copyL4 writes the rebuilt L4 bytes of the quote to b and returns how many,
// and by how much the L4 header is longer than the quoted one.
func (q *Quote) copyL4(b []byte, about *Packet, t *Tuple) (n, grown int) {
	from := about.Buf[q.L4:q.End]
	switch {
	case q.T.Proto == t.Proto:
		n = copy(b, from)
		q.fixCsum(b[:n], t)
	case q.T.Proto == ProtoUDP && t.Proto == ProtoTCP:
		clear(b[:8])
		n, grown = max(8, 4+copy(b[4:], from[UDPSize:])), -4
	case q.T.Proto == ProtoUDP:
		clear(b[:8])
		n, grown = max(8, copy(b, from[UDPSize:])), -8
		q.fixEcho(b, t)
	case q.T.Proto == ProtoTCP:
		n, grown = UDPSize+copy(b[UDPSize:], from[4:]), 4
	default:
		n, grown = UDPSize+copy(b[UDPSize:], from), 8
	}
	q.putL4(b, t, grown)
	return n, grown
}

// putL4 writes what the tuple and the quote know of the first 8 bytes.
func (q *Quote) putL4(b []byte, t *Tuple, grown int) {
	if t.Proto == ProtoICMP || t.Proto == ProtoICMPv6 {
		be.PutUint16(b[4:], t.SrcPort)
		return
	}
	be.PutUint16(b[0:], t.SrcPort)
	be.PutUint16(b[2:], t.DstPort)
	switch {
	case t.Proto == ProtoTCP && q.HasSeq:
		be.PutUint32(b[4:], q.Seq)
	case t.Proto == ProtoUDP && q.T.Proto != ProtoUDP:
		be.PutUint16(b[4:], uint16(q.l4Len()+grown))
		be.PutUint16(b[6:], 0)
		if q.T.Proto == ProtoTCP && q.HasSeq {
			be.PutUint32(b[8:], q.Seq)
		}
	}
}

// fixEcho makes an echo request of bytes that are no echo message.
func (q *Quote) fixEcho(b []byte, t *Tuple) {
	if icmpKind(t.Family, b[0]) == KindEcho && q.End-q.L4 >= 2*UDPSize {
		return
	}
	clear(b[:8])
	b[0] = 8
	if t.Family == 6 {
		b[0] = 128
	}
}

// fixCsum brings the checksum in quoted L4 bytes of the same protocol along
// (RFC 5508 4.2); it may be cut off.
func (q *Quote) fixCsum(b []byte, t *Tuple) {
	at, minus, plus := 0, add(addrPair(&q.T), portSum(KindUDP, &q.T)), add(addrPair(t), portSum(KindUDP, t))
	switch t.Proto {
	case ProtoTCP:
		at = 16
	case ProtoUDP:
		at = 6
	default:
		at = 2
		minus, plus = uint64(q.T.SrcPort), uint64(t.SrcPort)
		if t.Family == 6 {
			minus, plus = add(minus, addrPair(&q.T)), add(plus, addrPair(t))
		}
	}
	if len(b) < at+2 || t.Proto == ProtoUDP && be.Uint16(b[at:]) == 0 {
		return
	}
	be.PutUint16(b[at:], updateFull(be.Uint16(b[at:]), minus, plus))
}

// l4Len is the length of the quoted packet behind its IP headers.
func (q *Quote) l4Len() int { return q.Length - (q.L4 - q.Off) }

// putIP writes the quoted IP header with the quoted packet's DSCP, ECN, hop
// limit and, from IPv4 to IPv4, identification and DF.
func (q *Quote) putIP(h []byte, about *Packet, t *Tuple, n, grown int) {
	old := Packet{Buf: about.Buf, Off: q.Off, T: q.T}
	v := Packet{Buf: h, L4: len(h), End: len(h), T: *t}
	size := max(q.l4Len()+grown, n)
	if t.Family == 6 {
		v.putIP6(old.TOS(), old.TTL())
		be.PutUint16(h[4:], uint16(min(size, MaxLen)))
		return
	}
	v.putIP4(old.TOS(), old.TTL())
	be.PutUint16(h[2:], uint16(min(size+IPv4Size, MaxLen)))
	if q.T.Family == 4 {
		be.PutUint16(h[4:], old.IPID())
		v.SetDF(old.DF())
	}
	v.sealIP4()
}
