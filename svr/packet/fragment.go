package packet

// Fragmenter cuts an IP packet into IP fragments: an IPv4 packet without DF, or
// an IPv6 packet that its sender had cut before it came to us. The zero value
// is ready for Init.
type Fragmenter struct {
	// ID is the identification of the next IPv6 packet cut; Init raises it.
	ID uint32

	src   *Packet
	id    uint32
	piece int  // payload bytes of a fragment but the last
	at    int  // payload bytes already cut
	base  int  // fragment offset of src itself, in bytes
	more  bool // src itself is a fragment that others follow
	whole bool // src fits
	done  bool
}

// Init begins to cut p, completing its checksum, into fragments of at most mtu
// bytes; a packet that fits comes out as it is. IPv4 fragments keep the packet's
// identification (SetIPID), and may be cut again. p must not change until the
// last Next. False for super-packets, IPv4 with DF, IPv6 with extension headers,
// and an mtu that leaves no room for data.
func (f *Fragmenter) Init(p *Packet, mtu int) bool {
	*f = Fragmenter{ID: f.ID, src: p, done: true}
	if p.GSO == GSONone && p.Len() <= mtu {
		f.whole, f.done = true, false
		return true
	}
	head := p.L4 - p.Off
	if p.V6() {
		head += fragSize
	}
	if p.GSO != GSONone || !p.V6() && p.DF() || p.V6() && !p.plain() {
		return false
	}
	f.piece = (mtu - head) &^ (unit - 1)
	if f.piece < unit {
		return false
	}
	p.CompleteCsum()
	if p.V6() {
		f.id = f.ID
		f.ID++
	} else {
		w := be.Uint16(p.Buf[p.Off+6:])
		f.base, f.more = int(w&0x1fff)*unit, w&0x2000 != 0
	}
	f.done = false
	return true
}

// Next writes the next fragment to dst.Buf at dst.Off and sets all fields of
// dst. dst must not share memory with the source. False behind the last
// fragment, and when dst.Buf is too small.
func (f *Fragmenter) Next(dst *Packet) bool {
	if f.done {
		return false
	}
	if f.whole {
		f.done = f.src.CopyTo(dst)
		return f.done
	}
	src, off := f.src, dst.Off
	left := src.End - src.L4 - f.at
	n := min(f.piece, left)
	head := src.L4 - src.Off
	if src.V6() {
		head += fragSize
	}
	if off < 0 || off+head+n > len(dst.Buf) {
		return false
	}
	head = f.header(dst.Buf[off:])
	copy(dst.Buf[off+head:], src.Buf[src.L4+f.at:src.L4+f.at+n])
	*dst = Packet{Buf: dst.Buf, Off: off, End: off + head + n, If: src.If,
		Csum: CsumValid, Kind: KindFragment, T: src.T, next: src.next}
	dst.T.SrcPort, dst.T.DstPort = 0, 0
	dst.L4 = off + head
	dst.Data = dst.L4
	last := n == left
	f.place(dst, !last || f.more)
	f.at += n
	f.done = last
	return true
}

// header copies the IP header for the next fragment to b and returns its
// length. IPv4 options that are not to be copied stay in the first fragment
// only.
func (f *Fragmenter) header(b []byte) int {
	h := f.src.Buf[f.src.Off:f.src.L4]
	if f.src.V6() {
		copy(b, h)
		return IPv6Size + fragSize
	}
	if f.at == 0 || len(h) == IPv4Size {
		return copy(b, h)
	}
	copy(b, h[:IPv4Size])
	n := IPv4Size + copyOptions(b[IPv4Size:len(h)], h[IPv4Size:])
	b[0] = 0x40 | byte(n/4)
	return n
}

// copyOptions copies to dst the IPv4 options of src that every fragment has to
// carry (RFC 791 3.1: the copied flag), filled up to a multiple of 4.
func copyOptions(dst, src []byte) int {
	n := 0
	for len(src) > 0 && src[0] != optEnd {
		if src[0] == optNop {
			src = src[1:]
			continue
		}
		if len(src) < 2 || src[1] < 2 || int(src[1]) > len(src) {
			break
		}
		l := int(src[1])
		if src[0]&0x80 != 0 {
			n += copy(dst[n:], src[:l])
		}
		src = src[l:]
	}
	for n%4 != 0 {
		dst[n] = optEnd
		n++
	}
	return n
}

// place writes what tells a fragment's place: lengths, offset, more bit.
func (f *Fragmenter) place(dst *Packet, more bool) {
	offset := uint16(f.base + f.at)
	if dst.V6() {
		h := dst.Buf[dst.L4-fragSize : dst.L4]
		h[0], h[1] = f.src.T.Proto, 0
		dst.Buf[dst.Off+6] = nextFragment
		dst.next = IPv6Size
		if more {
			offset |= 1
		}
		be.PutUint16(h[2:], offset)
		be.PutUint32(h[4:], f.id)
		dst.setIPLen()
		return
	}
	w := offset / unit
	if more {
		w |= 0x2000
	}
	be.PutUint16(dst.Buf[dst.Off+6:], w)
	be.PutUint16(dst.Buf[dst.Off+2:], uint16(dst.End-dst.Off))
	dst.sealIP4()
}
