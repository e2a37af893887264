package packet

// InsertData opens n bytes between the L4 header and the data by moving the
// headers into the headroom, so that the data never moves. It returns these
// bytes, not cleared, or nil when the headroom is too small or the packet would
// be longer than IP can say. Lengths and checksums are wrong until Finish.
func (p *Packet) InsertData(n int) []byte {
	if n < 0 || n > p.Off || p.Len()+n > p.maxLen() {
		return nil
	}
	copy(p.Buf[p.Off-n:], p.Buf[p.Off:p.Data])
	p.Off, p.L4, p.Data = p.Off-n, p.L4-n, p.Data-n
	return p.Buf[p.Data : p.Data+n : p.Data+n]
}

// RemoveData removes the first n bytes of the data (at most all of it) by
// moving the headers up. Lengths and checksums are wrong until Finish.
func (p *Packet) RemoveData(n int) {
	n = min(n, p.End-p.Data)
	if n <= 0 {
		return
	}
	copy(p.Buf[p.Off+n:], p.Buf[p.Off:p.Data])
	p.Off, p.L4, p.Data = p.Off+n, p.L4+n, p.Data+n
}

// Extend adds n bytes, not cleared, at the end of the data and returns them, or
// nil when the tailroom is too small or the packet would be longer than IP can
// say. Finish afterwards.
func (p *Packet) Extend(n int) []byte {
	if n < 0 || n > p.Tailroom() || p.Len()+n > p.maxLen() {
		return nil
	}
	p.End += n
	return p.Buf[p.End-n : p.End : p.End]
}

// maxLen is the longest packet of the family.
func (p *Packet) maxLen() int {
	if p.V6() {
		return IPv6Size + MaxLen
	}
	return MaxLen
}

// Trim removes n bytes (at most all data) from the end. Finish afterwards.
func (p *Packet) Trim(n int) {
	if n > 0 {
		p.End -= min(n, p.End-p.Data)
	}
}

// CopyTo copies the packet to dst.Buf at dst.Off, with every field. False when
// that buffer is too small.
func (p *Packet) CopyTo(dst *Packet) bool {
	if dst.Off < 0 || dst.Off+p.Len() > len(dst.Buf) {
		return false
	}
	copy(dst.Buf[dst.Off:], p.IP())
	dst.place(p, dst.Off)
	return true
}

// place gives p the fields of src for a copy of it at off in p's own buffer.
func (p *Packet) place(src *Packet, off int) {
	buf, d := p.Buf, off-src.Off
	*p = *src
	p.Buf = buf
	p.Off, p.L4, p.Data, p.End = off, src.L4+d, src.Data+d, src.End+d
}

// moveIP moves the IP header by n bytes, up when n is positive.
func (p *Packet) moveIP(n int) {
	copy(p.Buf[p.Off+n:], p.Buf[p.Off:p.L4])
	p.Off += n
}

// Finish makes the headers agree with the data after it changed: IP length, UDP
// length, IPv4 header checksum; the L4 checksum becomes partial (CsumPartial),
// that of ICMP full. It signs whatever bytes are there: who changes a packet of
// state CsumUnknown calls VerifyL4 before.
func (p *Packet) Finish() {
	if p.V6() {
		be.PutUint16(p.Buf[p.Off+4:], uint16(p.End-p.Off-IPv6Size))
	} else {
		be.PutUint16(p.Buf[p.Off+2:], uint16(p.End-p.Off))
		p.sealIP4()
	}
	p.finishL4()
}

// finishL4 is the part of Finish behind the IP header.
func (p *Packet) finishL4() {
	at := p.csumAt()
	if at == 0 {
		return
	}
	if p.Kind == KindUDP {
		be.PutUint16(p.Buf[p.L4+4:], uint16(p.End-p.L4))
	}
	sum := uint16(0)
	if p.hasPseudo() {
		sum = pseudo(&p.T, p.End-p.L4)
	}
	be.PutUint16(p.Buf[at:], sum)
	p.Csum = CsumPartial
	if p.Kind != KindTCP && p.Kind != KindUDP {
		p.CompleteCsum()
	}
}

// FinishFull is Finish with a full L4 checksum computed in software, for
// senders without checksum offload. A super-packet stays partial.
func (p *Packet) FinishFull() {
	p.Finish()
	p.CompleteCsum()
}
