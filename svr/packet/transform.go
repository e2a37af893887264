package packet

// setProto changes the protocol the IP header names.
func (p *Packet) setProto(proto uint8) {
	p.Buf[p.Off+int(p.next)] = proto
	p.T.Proto = proto
}

// ToUDP puts a UDP header in place of the ports of a TCP segment, or before an
// ICMP echo message: behind the UDP header stands the segment from its sequence
// number on, or the whole message, either with its own checksum field 0. Ends
// with Finish. False, with nothing changed, for other kinds, super-packets, a
// wrong checksum, or without headroom (4 bytes, 8 for echo).
func (p *Packet) ToUDP(sport, dport uint16) bool {
	grow := 4
	switch p.Kind {
	case KindTCP:
	case KindEcho:
		grow = UDPSize
	default:
		return false
	}
	if p.GSO != GSONone || p.Off < grow || p.Len()+grow > p.maxLen() || !p.VerifyL4() {
		return false
	}
	be.PutUint16(p.Buf[p.csumAt():], 0)
	p.moveIP(-grow)
	p.L4 -= grow
	p.Data = p.L4 + UDPSize
	p.setProto(ProtoUDP)
	p.Kind, p.TCPFlags = KindUDP, 0
	p.T.SrcPort, p.T.DstPort = sport, dport
	p.putPorts(&p.T)
	p.Finish()
	return true
}

// FromUDP is the reverse of ToUDP for a packet whose metadata and protection
// are gone: proto is TCP, or ICMP or ICMPv6 as the family says, whose
// identifier becomes sport. Ends with Finish: the checksum is partial for TCP,
// full for ICMP. False, with nothing changed, when the data is no such segment
// or message.
func (p *Packet) FromUDP(proto uint8, sport, dport uint16) bool {
	if p.Kind != KindUDP || p.GSO != GSONone {
		return false
	}
	switch proto {
	case ProtoTCP:
		return p.fromUDPTCP(sport, dport)
	case ProtoICMP, ProtoICMPv6:
		return p.fromUDPEcho(proto, sport)
	}
	return false
}

// fromUDPTCP rebuilds the TCP header. Byte 12 of it is byte 8 of the data.
func (p *Packet) fromUDPTCP(sport, dport uint16) bool {
	d := p.Payload()
	if len(d) < TCPSize-4 {
		return false
	}
	hl := int(d[8]>>4) * 4
	if hl < TCPSize || hl-4 > len(d) {
		return false
	}
	p.moveIP(4)
	p.L4 += 4
	p.setProto(ProtoTCP)
	p.Kind, p.TCPFlags = KindTCP, p.Buf[p.L4+13]
	p.Data = p.L4 + hl
	p.T.SrcPort, p.T.DstPort = sport, dport
	p.putPorts(&p.T)
	p.Finish()
	return true
}

// fromUDPEcho takes the UDP header off an ICMP echo message.
func (p *Packet) fromUDPEcho(proto uint8, id uint16) bool {
	d := p.Payload()
	if len(d) < ICMPSize || icmpKind(p.T.Family, d[0]) != KindEcho {
		return false
	}
	if (proto == ProtoICMPv6) != p.V6() {
		return false
	}
	p.moveIP(UDPSize)
	p.L4 += UDPSize
	p.setProto(proto)
	p.Kind, p.Data = KindEcho, p.L4+ICMPSize
	p.T.SrcPort, p.T.DstPort = id, id
	p.putPorts(&p.T)
	p.Finish()
	return true
}
