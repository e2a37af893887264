package packet

import "encoding/binary"

// TTL returns the time to live, or the hop limit.
func (p *Packet) TTL() uint8 {
	if p.V6() {
		return p.Buf[p.Off+7]
	}
	return p.Buf[p.Off+8]
}

// SetTTL sets the time to live or hop limit; the IPv4 header checksum follows.
func (p *Packet) SetTTL(ttl uint8) {
	if p.V6() {
		p.Buf[p.Off+7] = ttl
		return
	}
	p.set4(8, uint16(ttl)<<8|uint16(p.Buf[p.Off+9]))
}

// DecTTL lowers the time to live by one. It changes nothing and returns false
// when the packet must not be forwarded any more (RFC 1812 5.3.1).
func (p *Packet) DecTTL() bool {
	ttl := p.TTL()
	if ttl <= 1 {
		return false
	}
	p.SetTTL(ttl - 1)
	return true
}

// TOS returns DSCP and ECN: the type of service or the traffic class.
func (p *Packet) TOS() uint8 {
	if p.V6() {
		return uint8(be.Uint16(p.Buf[p.Off:]) >> 4)
	}
	return p.Buf[p.Off+1]
}

// SetTOS sets DSCP and ECN; the IPv4 header checksum follows.
func (p *Packet) SetTOS(tos uint8) {
	if p.V6() {
		w := be.Uint16(p.Buf[p.Off:])
		be.PutUint16(p.Buf[p.Off:], w&0xf00f|uint16(tos)<<4)
		return
	}
	p.set4(0, uint16(p.Buf[p.Off])<<8|uint16(tos))
}

// DF tells whether routers on the way may not fragment the packet; true for
// IPv6.
func (p *Packet) DF() bool { return p.V6() || p.Buf[p.Off+6]&0x40 != 0 }

// SetDF sets or clears the don't-fragment bit of an IPv4 packet.
func (p *Packet) SetDF(on bool) {
	if p.V6() {
		return
	}
	w := be.Uint16(p.Buf[p.Off+6:]) &^ 0x4000
	if on {
		w |= 0x4000
	}
	p.set4(6, w)
}

// IPID returns the identification of an IPv4 packet, 0 for IPv6.
func (p *Packet) IPID() uint16 {
	if p.V6() {
		return 0
	}
	return be.Uint16(p.Buf[p.Off+4:])
}

// SetIPID sets the identification of an IPv4 packet.
func (p *Packet) SetIPID(id uint16) {
	if !p.V6() {
		p.set4(4, id)
	}
}

// set4 stores a 16-bit word of the IPv4 header at byte at (even) and brings the
// header checksum along.
func (p *Packet) set4(at int, w uint16) {
	h := p.Buf[p.Off : p.Off+IPv4Size]
	old := be.Uint16(h[at:])
	be.PutUint16(h[at:], w)
	be.PutUint16(h[10:], updateFull(be.Uint16(h[10:]), uint64(old), uint64(w)))
}

// setIPLen stores the length of the packet in the IP header.
func (p *Packet) setIPLen() {
	if p.V6() {
		be.PutUint16(p.Buf[p.Off+4:], uint16(p.End-p.Off-IPv6Size))
		return
	}
	p.set4(2, uint16(p.End-p.Off))
}

// sealIP4 computes the IPv4 header checksum anew. It reads words no longer than the
// shortest that were just written: a CPU waits for the store of a part of what it loads.
func (p *Packet) sealIP4() {
	h := p.Buf[p.Off:p.L4]
	if len(h) != IPv4Size {
		h[10], h[11] = 0, 0
		be.PutUint16(h[10:], ^headerSum(h, len(h)))
		return
	}
	ne := binary.NativeEndian // the sum has the order of what is summed (RFC 1071, 2)
	s := uint64(ne.Uint16(h[0:])) + uint64(ne.Uint16(h[2:])) + uint64(ne.Uint16(h[4:])) +
		uint64(ne.Uint16(h[6:])) + uint64(ne.Uint16(h[8:])) +
		uint64(ne.Uint16(h[12:])) + uint64(ne.Uint16(h[14:])) + uint64(ne.Uint16(h[16:])) + uint64(ne.Uint16(h[18:]))
	ne.PutUint16(h[10:], ^fold(s))
}

// plain tells that nothing stands between the IP header proper and L4.
func (p *Packet) plain() bool {
	if p.V6() {
		return p.L4-p.Off == IPv6Size
	}
	return p.L4-p.Off == IPv4Size
}
