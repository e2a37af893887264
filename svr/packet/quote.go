package packet

// Quote is what an ICMP error tells about a packet that was sent.
type Quote struct {
	T          Tuple  // of the quoted packet, in the direction it was sent
	Type, Code uint8  // of the error
	Pointer    uint32 // of a parameter problem: the offending byte
	MTU        int    // of a too-big error, else 0; IPv4: 0 from old routers
	Seq        uint32 // TCP sequence number
	HasSeq     bool   // Seq is known
	Off, L4    int    // offsets in Buf of the quoted IP and L4 headers
	Data, End  int    // offsets in Buf behind the quoted L4 header (at most End), and of the end of the quote
	Length     int    // length of the quoted IP packet as its header says
}

// Quote reads the packet that a KindICMPError quotes; its L4 header may be cut
// behind 8 bytes. ok is false when less is there, for a later fragment, and for
// protocols other than TCP, UDP and ICMP echo.
func (p *Packet) Quote() (q Quote, ok bool) {
	if p.Kind != KindICMPError {
		return q, false
	}
	h := p.Buf[p.L4:p.Data]
	q.Type, q.Code = h[0], h[1]
	q.Off, q.End = p.Data, p.quoteEnd()
	if p.V6() {
		ok = q.read6(p, h)
	} else {
		ok = q.read4(p, h)
	}
	if !ok {
		return q, false
	}
	q.End = max(q.L4, min(q.End, q.Off+q.Length))
	return q, q.readL4(p.Buf)
}

// quoteEnd returns the end of the quoted packet: the end of p, or where the
// length field of RFC 4884 says that extensions begin.
func (p *Packet) quoteEnd() int {
	h, n := p.Buf[p.L4:p.Data], 0
	switch {
	case p.V6() && (h[0] == 1 || h[0] == 3):
		n = int(h[4]) * 8
	case !p.V6():
		n = int(h[5]) * 4
	}
	if n == 0 || p.Data+n > p.End {
		return p.End
	}
	return p.Data + n
}

// read4 reads the quoted IPv4 header; its checksum and lengths may be off,
// since routers change the packet before they quote it.
func (q *Quote) read4(p *Packet, icmp []byte) bool {
	switch {
	case q.Type == 3 && q.Code == 4:
		q.MTU = int(be.Uint16(icmp[6:]))
	case q.Type == 12:
		q.Pointer = uint32(icmp[4])
	}
	b := p.Buf[q.Off:q.End]
	if len(b) < IPv4Size || b[0]>>4 != 4 {
		return false
	}
	hl := int(b[0]&15) * 4
	if hl < IPv4Size || hl > len(b) || be.Uint16(b[6:])&0x1fff != 0 {
		return false
	}
	q.L4, q.Length = q.Off+hl, int(be.Uint16(b[2:]))
	q.T = Tuple{Proto: b[9], Family: 4}
	copy(q.T.Src[:4], b[12:16])
	copy(q.T.Dst[:4], b[16:20])
	return q.Length >= hl+8
}

// read6 reads the quoted IPv6 header and walks its extension headers.
func (q *Quote) read6(p *Packet, icmp []byte) bool {
	switch q.Type {
	case 2:
		q.MTU = int(min(be.Uint32(icmp[4:]), 1<<30))
	case 4:
		q.Pointer = be.Uint32(icmp[4:])
	}
	b := p.Buf[q.Off:q.End]
	if len(b) < IPv6Size || b[0]>>4 != 6 {
		return false
	}
	w := walk6{b: b, at: IPv6Size, next: 6}
	for w.step() {
	}
	if w.err != nil || w.routed || w.piece && be.Uint16(b[w.frag+2:])&^7 != 0 {
		return false
	}
	q.L4, q.Length = q.Off+w.at, IPv6Size+int(be.Uint16(b[4:]))
	q.T = Tuple{Proto: b[w.next], Family: 6, Src: [16]byte(b[8:24]), Dst: [16]byte(b[24:40])}
	return q.Length >= w.at+8
}

// readL4 reads the first 8 bytes of the quoted L4 header, and the TCP options'
// length if it is there.
func (q *Quote) readL4(buf []byte) bool {
	b := buf[q.L4:q.End]
	if len(b) < 8 {
		return false
	}
	q.T.SrcPort, q.T.DstPort = be.Uint16(b[0:]), be.Uint16(b[2:])
	q.Data = q.L4 + 8
	switch q.T.Proto {
	case ProtoTCP:
		q.Seq, q.HasSeq = be.Uint32(b[4:]), true
		hl := TCPSize
		if len(b) >= TCPSize {
			hl = max(hl, int(b[12]>>4)*4)
		}
		q.Data = min(q.L4+hl, q.End)
		return true
	case ProtoUDP:
		return true
	case ProtoICMP, ProtoICMPv6:
		if (q.T.Proto == ProtoICMPv6) != (q.T.Family == 6) || icmpKind(q.T.Family, b[0]) != KindEcho {
			return false
		}
		id := be.Uint16(b[4:])
		q.T.SrcPort, q.T.DstPort = id, id
		return true
	}
	return false
}
