package packet

// Readdress gives the packet the addresses, ports and family of t, which has
// its protocol. With the family unchanged it is Rewrite. Otherwise it exchanges
// the IP header, moving nothing else: DSCP, ECN and hop limit are carried, the
// flow label is 0, a new IPv4 header has DF and identification 0, a UDP
// checksum of 0 is computed first, the GSO type follows. False, with nothing
// changed, when there is no headroom, for IP options and extension headers (see
// DropExtensions), fragments, packets too long for IPv4, and for ICMP of another
// family.
func (p *Packet) Readdress(t Tuple) bool {
	if t.Family == p.T.Family {
		return p.Rewrite(t)
	}
	if t.Proto != p.T.Proto || p.Kind != KindTCP && p.Kind != KindUDP || !p.plain() {
		return false
	}
	switch t.Family {
	case 4:
		if IPv4Size+p.End-p.L4 > MaxLen {
			return false
		}
	case 6:
		if p.L4 < IPv6Size {
			return false
		}
	default:
		return false
	}
	p.requireCsum()
	p.change(addrPair(&p.T), addrPair(&t), portSum(p.Kind, &p.T), portSum(p.Kind, &t))
	tos, ttl := p.TOS(), p.TTL()
	p.putPorts(&t)
	p.T = t
	if t.Family == 6 {
		p.putIP6(tos, ttl)
	} else {
		p.putIP4(tos, ttl)
	}
	p.GSO = p.GSO.as(t.Family)
	return true
}

// DropExtensions takes IPv4 options or IPv6 extension headers out of a whole
// packet, as translators do (RFC 7915 4.1 and 5.1), so that Readdress can take
// it. False, with nothing changed, for fragments, KindOther (which a live
// routing header is) and IPv4 source routes.
func (p *Packet) DropExtensions() bool {
	if p.Kind == KindFragment || p.Kind == KindOther {
		return false
	}
	size := IPv4Size
	if p.V6() {
		size = IPv6Size
	} else if sourceRouted(p.Buf[p.Off+IPv4Size : p.L4]) {
		return false
	}
	n := p.L4 - p.Off - size
	if n == 0 {
		return true
	}
	copy(p.Buf[p.Off+n:], p.Buf[p.Off:p.Off+size])
	p.Off += n
	if p.V6() {
		p.next = 6
		p.Buf[p.Off+6] = p.T.Proto
		p.setIPLen()
		return true
	}
	p.Buf[p.Off] = 0x45
	be.PutUint16(p.Buf[p.Off+2:], uint16(p.End-p.Off))
	p.sealIP4()
	return true
}

// sourceRouted tells whether IPv4 options hold a loose or strict source route,
// or cannot be read.
func sourceRouted(o []byte) bool {
	for len(o) > 0 && o[0] != optEnd {
		if o[0] == optNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) || o[0] == 131 || o[0] == 137 {
			return true
		}
		o = o[o[1]:]
	}
	return false
}

// requireCsum gives UDP without a checksum a full one: IPv6 wants one
// (RFC 8200 8.1), and the far end takes what it gets for the sender's own.
func (p *Packet) requireCsum() {
	at := p.csumAt()
	if !p.noCsum(at) {
		return
	}
	p.storeCsum(at, ^p.sumL4())
	p.Csum = CsumValid
}

// putIP6 writes an IPv6 header right before L4.
func (p *Packet) putIP6(tos, ttl uint8) {
	p.Off = p.L4 - IPv6Size
	h := p.Buf[p.Off:p.L4]
	be.PutUint32(h[0:], 6<<28|uint32(tos)<<20)
	be.PutUint16(h[4:], uint16(p.End-p.L4))
	h[6], h[7] = p.T.Proto, ttl
	p.next = 6
	p.putAddrs6(&p.T)
}

// putIP4 writes an IPv4 header with DF right before L4.
func (p *Packet) putIP4(tos, ttl uint8) {
	p.Off = p.L4 - IPv4Size
	h := p.Buf[p.Off:p.L4]
	h[0], h[1] = 0x45, tos
	be.PutUint16(h[2:], uint16(p.End-p.Off))
	be.PutUint32(h[4:], 0x4000)
	h[8], h[9] = ttl, p.T.Proto
	p.next = 9
	p.putAddrs4(&p.T)
	p.sealIP4()
}

// as returns the GSO type for packets of family.
func (g GSO) as(family uint8) GSO {
	switch {
	case g == GSOTCP4 && family == 6:
		return GSOTCP6
	case g == GSOTCP6 && family == 4:
		return GSOTCP4
	}
	return g
}
