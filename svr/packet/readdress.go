package packet

// Readdress gives the packet the addresses, ports and family of t, which has
// its protocol. With the family unchanged it is Rewrite. Otherwise it exchanges
// the IP header, moving nothing else: DSCP, ECN and hop limit are carried, the
// flow label is 0, a new IPv4 header has DF and identification 0, a UDP
// checksum of 0 is computed first, the GSO type follows. False, with nothing
// changed, when there is no headroom, for IP options, extension headers,
// fragments, and for ICMP of another family.
func (p *Packet) Readdress(t Tuple) bool {
	if t.Family == p.T.Family {
		return p.Rewrite(t)
	}
	if t.Proto != p.T.Proto || p.Kind != KindTCP && p.Kind != KindUDP || !p.plain() {
		return false
	}
	if t.Family == 6 && p.L4 < IPv6Size || t.Family != 4 && t.Family != 6 {
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
