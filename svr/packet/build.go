package packet

// Build writes a fresh packet of tuple t to dst.Buf at dst.Off: an IP header
// (IPv4 with DF, identification 0), a cleared L4 header of 20 (TCP) or 8 bytes
// (UDP, ICMP echo with the tuple's identifier), and n bytes of data, not
// cleared, which it returns: fill them, then Finish. nil, with dst unusable,
// when the buffer is too small, or for another protocol or family.
func Build(dst *Packet, t Tuple, ttl, tos uint8, n int) []byte {
	kind := KindOther
	switch {
	case t.Proto == ProtoTCP:
		kind = KindTCP
	case t.Proto == ProtoUDP:
		kind = KindUDP
	case t.Proto == ProtoICMP && t.Family == 4, t.Proto == ProtoICMPv6 && t.Family == 6:
		kind = KindEcho
	}
	if kind == KindOther || !lay(dst, kind, &t, ttl, tos, n) {
		return nil
	}
	h := dst.Buf[dst.L4:dst.Data]
	if kind == KindEcho && t.Family == 6 {
		h[0] = 128
	} else if kind == KindEcho {
		h[0] = 8
	}
	dst.putPorts(&t)
	return dst.Buf[dst.Data:dst.End:dst.End]
}

// BuildTCP is Build for a TCP segment with its sequence and acknowledgement
// numbers, Flag… bits and window.
func BuildTCP(dst *Packet, t Tuple, ttl, tos uint8, seq, ack uint32, flags uint8, window uint16, n int) []byte {
	if t.Proto != ProtoTCP {
		return nil
	}
	b := Build(dst, t, ttl, tos, n)
	if b == nil {
		return nil
	}
	h := dst.Buf[dst.L4:dst.Data]
	be.PutUint32(h[4:], seq)
	be.PutUint32(h[8:], ack)
	h[13] = flags
	be.PutUint16(h[14:], window)
	dst.TCPFlags = flags
	return b
}

// lay writes the IP header and clears the L4 header of a new packet at dst.Off
// and sets every field of dst but Buf, Off and If.
func lay(dst *Packet, kind Kind, t *Tuple, ttl, tos uint8, n int) bool {
	ip, l4 := IPv4Size, UDPSize
	if t.Family == 6 {
		ip = IPv6Size
	} else if t.Family != 4 {
		return false
	}
	if kind == KindTCP {
		l4 = TCPSize
	}
	off := dst.Off
	if n < 0 || off < 0 || off+ip+l4+n > len(dst.Buf) {
		return false
	}
	if size := l4 + n; size > MaxLen || t.Family == 4 && ip+size > MaxLen {
		return false
	}
	*dst = Packet{Buf: dst.Buf, Off: off, If: dst.If, Kind: kind, T: *t}
	dst.L4 = off + ip
	dst.Data = dst.L4 + l4
	dst.End = dst.Data + n
	clear(dst.Buf[dst.L4:dst.Data])
	if kind == KindTCP {
		dst.Buf[dst.L4+12] = TCPSize / 4 << 4
	}
	if t.Family == 6 {
		dst.putIP6(tos, ttl)
	} else {
		dst.putIP4(tos, ttl)
	}
	return true
}

// BuildReset writes to dst, at dst.Off, the RST that answers the segment about
// when there is no connection for it (RFC 9293 3.10.7.1). False for a RST,
// anything but TCP, and senders that must not be answered.
func BuildReset(dst, about *Packet) bool {
	if about.Kind != KindTCP || about.TCPFlags&FlagRST != 0 || !answerable(&about.T) {
		return false
	}
	h := about.Buf[about.L4:]
	seq, ack, flags := be.Uint32(h[8:]), uint32(0), uint8(FlagRST)
	if about.TCPFlags&FlagACK == 0 {
		seq, ack, flags = 0, be.Uint32(h[4:])+uint32(about.segLen()), FlagRST|FlagACK
	}
	if BuildTCP(dst, about.T.Reverse(), 64, 0, seq, ack, flags, 0, 0) == nil {
		return false
	}
	dst.Finish()
	return true
}

// segLen returns SEG.LEN: data, SYN and FIN.
func (p *Packet) segLen() int {
	n := p.End - p.Data
	if p.TCPFlags&FlagSYN != 0 {
		n++
	}
	if p.TCPFlags&FlagFIN != 0 {
		n++
	}
	return n
}

// Seq returns the sequence number of a KindTCP packet.
func (p *Packet) Seq() uint32 { return be.Uint32(p.Buf[p.L4+4:]) }

// Ack returns the acknowledgement number of a KindTCP packet.
func (p *Packet) Ack() uint32 { return be.Uint32(p.Buf[p.L4+8:]) }

// Window returns the unscaled window of a KindTCP packet.
func (p *Packet) Window() uint16 { return be.Uint16(p.Buf[p.L4+14:]) }

// SegLen returns how many sequence numbers a KindTCP packet takes: data, SYN
// and FIN.
func (p *Packet) SegLen() uint32 { return uint32(p.segLen()) }
