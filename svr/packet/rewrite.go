package packet

// csumAt returns the offset in Buf of the L4 checksum field, 0 where the kind
// has none.
func (p *Packet) csumAt() int {
	switch p.Kind {
	case KindTCP:
		return p.L4 + 16
	case KindUDP:
		return p.L4 + 6
	case KindEcho, KindICMPError:
		return p.L4 + 2
	}
	return 0
}

// hasPseudo tells whether the L4 checksum covers a pseudo-header: everything
// but ICMP over IPv4.
func (p *Packet) hasPseudo() bool { return p.T.Proto != ProtoICMP }

// noCsum tells that the packet is UDP without a checksum (RFC 768, RFC 6935).
func (p *Packet) noCsum(at int) bool {
	return p.Kind == KindUDP && p.Csum != CsumPartial && p.Buf[at] == 0 && p.Buf[at+1] == 0
}

// change brings the L4 checksum along: addresses and protocol (the pseudo-
// header) went from oldPseudo to newPseudo, words of the L4 header from oldL4
// to newL4. A partial field takes the pseudo-header part only.
func (p *Packet) change(oldPseudo, newPseudo, oldL4, newL4 uint64) {
	at := p.csumAt()
	if at == 0 || p.noCsum(at) {
		return
	}
	if !p.hasPseudo() {
		oldPseudo, newPseudo = 0, 0
	}
	field := be.Uint16(p.Buf[at:])
	if p.Csum == CsumPartial {
		be.PutUint16(p.Buf[at:], updatePartial(field, oldPseudo, newPseudo))
		return
	}
	field = updateFull(field, add(oldPseudo, oldL4), add(newPseudo, newL4))
	if field == 0 && p.Kind == KindUDP {
		field = 0xffff
	}
	be.PutUint16(p.Buf[at:], field)
}

// portSum adds up the words of the L4 header that a tuple names.
func portSum(k Kind, t *Tuple) uint64 {
	switch k {
	case KindTCP, KindUDP:
		return uint64(t.SrcPort) + uint64(t.DstPort)
	case KindEcho:
		return uint64(t.SrcPort)
	}
	return 0
}

// Rewrite gives the packet the addresses and ports of t, which has the family
// and protocol of the packet. IP and L4 checksums follow by delta (RFC 1624),
// whatever their state, so that damage done before is still seen by the end. A
// UDP checksum of 0 stays 0. For ICMP echo both ports of t are the new
// identifier; an ICMP error changes addresses only. False, with nothing
// changed, for another family or protocol, fragments and KindOther.
func (p *Packet) Rewrite(t Tuple) bool {
	if t.Family != p.T.Family || t.Proto != p.T.Proto || !p.fits(&t) {
		return false
	}
	oldA, newA := addrPair(&p.T), addrPair(&t)
	p.change(oldA, newA, portSum(p.Kind, &p.T), portSum(p.Kind, &t))
	if p.V6() {
		p.putAddrs6(&t)
	} else {
		p.putAddrs4(&t)
		h := p.Buf[p.Off : p.Off+IPv4Size]
		be.PutUint16(h[10:], updateFull(be.Uint16(h[10:]), oldA, newA))
	}
	p.putPorts(&t)
	p.T = t
	return true
}

// fits tells whether the kind of the packet can take the ports of t.
func (p *Packet) fits(t *Tuple) bool {
	switch p.Kind {
	case KindTCP, KindUDP:
		return true
	case KindEcho:
		return t.SrcPort == t.DstPort
	case KindICMPError:
		return t.SrcPort == 0 && t.DstPort == 0
	}
	return false
}

// putAddrs4 stores the addresses of t in an IPv4 header.
func (p *Packet) putAddrs4(t *Tuple) {
	h := p.Buf[p.Off : p.Off+IPv4Size]
	copy(h[12:16], t.Src[:4])
	copy(h[16:20], t.Dst[:4])
}

// putAddrs6 stores the addresses of t in an IPv6 header.
func (p *Packet) putAddrs6(t *Tuple) {
	h := p.Buf[p.Off : p.Off+IPv6Size]
	copy(h[8:24], t.Src[:])
	copy(h[24:40], t.Dst[:])
}

// putPorts stores the ports or the identifier of t.
func (p *Packet) putPorts(t *Tuple) {
	switch p.Kind {
	case KindTCP, KindUDP:
		be.PutUint16(p.Buf[p.L4:], t.SrcPort)
		be.PutUint16(p.Buf[p.L4+2:], t.DstPort)
	case KindEcho:
		be.PutUint16(p.Buf[p.L4+4:], t.SrcPort)
	}
}

// SetEchoID changes the identifier of an ICMP echo packet and its tuple.
func (p *Packet) SetEchoID(id uint16) {
	if p.Kind != KindEcho {
		return
	}
	p.change(0, 0, uint64(p.T.SrcPort), uint64(id))
	p.T.SrcPort, p.T.DstPort = id, id
	p.putPorts(&p.T)
}

// VerifyL4 checks the L4 checksum in software and remembers a good one as
// CsumValid. True at once for CsumValid and CsumPartial, and where there is
// nothing to check: UDP without a checksum, fragments, foreign protocols.
func (p *Packet) VerifyL4() bool {
	if p.Csum != CsumUnknown {
		return true
	}
	at := p.csumAt()
	if at != 0 && !p.noCsum(at) && p.sumL4() != 0xffff {
		return false
	}
	p.Csum = CsumValid
	return true
}

// sumL4 adds up L4 header and data as they are, and the pseudo-header.
func (p *Packet) sumL4() uint16 {
	s := uint64(sumBytes(p.Buf[p.L4:p.End]))
	if p.hasPseudo() {
		s += uint64(pseudo(&p.T, p.End-p.L4))
	}
	return fold(s)
}

// CompleteCsum turns a partial checksum into a full one in software. A super-
// packet keeps its partial one, since each segment gets a checksum of its own.
func (p *Packet) CompleteCsum() {
	if p.Csum != CsumPartial || p.GSO != GSONone {
		return
	}
	p.Csum = CsumValid
	at := p.csumAt()
	if at == 0 {
		return
	}
	p.storeCsum(at, ^sumBytes(p.Buf[p.L4:p.End]))
}

// storeCsum stores a full checksum, 0 as 0xffff for UDP.
func (p *Packet) storeCsum(at int, c uint16) {
	if c == 0 && p.Kind == KindUDP {
		c = 0xffff
	}
	be.PutUint16(p.Buf[at:], c)
}
