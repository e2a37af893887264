package packet

// Parse reads the headers of Buf[Off:End] and sets L4, Data, T, Kind and
// TCPFlags. It cuts Ethernet padding off (End = Off + the length the IP header
// tells) and, where a UDP length is shorter than its IP packet, the surplus.
// No field is meaningful after an error.
func (p *Packet) Parse() error {
	if p.Off < 0 || p.End > len(p.Buf) || p.End-p.Off < IPv4Size {
		return ErrShort
	}
	p.Kind, p.TCPFlags = KindOther, 0
	switch p.Buf[p.Off] >> 4 {
	case 4:
		return p.parse4()
	case 6:
		return p.parse6()
	}
	return ErrVersion
}

// parse4 reads an IPv4 header (RFC 791); its checksum must be right (RFC 1812
// 5.2.2).
func (p *Packet) parse4() error {
	b := p.Buf[p.Off:p.End]
	if len(b) < IPv4Size {
		return ErrShort
	}
	hl := int(b[0]&15) * 4
	total := int(be.Uint16(b[2:4]))
	if hl < IPv4Size || total < hl {
		return ErrHeader
	}
	if total > len(b) {
		return ErrLength
	}
	if headerSum(b, hl) != 0xffff {
		return ErrHeaderChecksum
	}
	p.End = p.Off + total
	p.L4 = p.Off + hl
	p.next = 9
	p.T = Tuple{Proto: b[9], Family: 4}
	copy(p.T.Src[:4], b[12:16])
	copy(p.T.Dst[:4], b[16:20])
	if be.Uint16(b[6:8])&0x3fff != 0 { // more fragments, or an offset
		return p.fragment(p.L4)
	}
	return p.parseL4(p.T.Proto)
}

// headerSum returns the folded sum of an IPv4 header of hl bytes: 0xffff when
// its checksum is right.
func headerSum(b []byte, hl int) uint16 {
	if hl == IPv4Size {
		s := be.Uint64(b[0:8])>>32 + be.Uint64(b[0:8])&0xffffffff +
			be.Uint64(b[8:16])>>32 + be.Uint64(b[8:16])&0xffffffff +
			uint64(be.Uint32(b[16:20]))
		return fold(s)
	}
	return sumBytes(b[:hl])
}

// fragment marks the packet as a piece whose bytes begin at at.
func (p *Packet) fragment(at int) error {
	p.Kind, p.L4, p.Data = KindFragment, at, at
	return nil
}

// parseL4 reads the header at L4.
func (p *Packet) parseL4(proto uint8) error {
	switch proto {
	case ProtoTCP:
		return p.parseTCP()
	case ProtoUDP:
		return p.parseUDP()
	case ProtoICMP, ProtoICMPv6:
		return p.parseICMP(proto)
	}
	p.Data = p.L4
	return nil
}

// parseTCP reads a TCP header (RFC 9293 3.1).
func (p *Packet) parseTCP() error {
	b := p.Buf[p.L4:p.End]
	if len(b) < TCPSize {
		return ErrShort
	}
	hl := int(b[12]>>4) * 4
	if hl < TCPSize {
		return ErrHeader
	}
	if hl > len(b) {
		return ErrLength
	}
	p.T.SrcPort, p.T.DstPort = be.Uint16(b[0:2]), be.Uint16(b[2:4])
	p.Kind, p.TCPFlags = KindTCP, b[13]
	p.Data = p.L4 + hl
	return nil
}

// parseUDP reads a UDP header (RFC 768).
func (p *Packet) parseUDP() error {
	b := p.Buf[p.L4:p.End]
	if len(b) < UDPSize {
		return ErrShort
	}
	n := int(be.Uint16(b[4:6]))
	if n < UDPSize || n > len(b) {
		return ErrLength
	}
	p.T.SrcPort, p.T.DstPort = be.Uint16(b[0:2]), be.Uint16(b[2:4])
	p.Kind = KindUDP
	p.Data = p.L4 + UDPSize
	if n < len(b) {
		p.End = p.L4 + n
		p.setIPLen()
	}
	return nil
}

// parseICMP tells echo and errors from the rest (RFC 792, RFC 4443).
func (p *Packet) parseICMP(proto uint8) error {
	p.Data = p.L4
	if (proto == ProtoICMPv6) != (p.T.Family == 6) {
		return nil
	}
	b := p.Buf[p.L4:p.End]
	if len(b) < ICMPSize {
		return ErrShort
	}
	p.Kind = icmpKind(p.T.Family, b[0])
	p.Data = p.L4 + ICMPSize
	if p.Kind == KindEcho {
		id := be.Uint16(b[4:6])
		p.T.SrcPort, p.T.DstPort = id, id
	}
	return nil
}

// icmpKind classes an ICMP or ICMPv6 type.
func icmpKind(family, typ uint8) Kind {
	if family == 6 {
		switch typ {
		case 128, 129:
			return KindEcho
		case 1, 2, 3, 4:
			return KindICMPError
		}
		return KindOther
	}
	switch typ {
	case 0, 8:
		return KindEcho
	case 3, 11, 12:
		return KindICMPError
	}
	return KindOther
}
