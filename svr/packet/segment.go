package packet

// Segmenter cuts a super-packet, or a TCP segment that is too long, into
// packets. The zero value is ready for Init; it holds the source until the last
// Next.
type Segmenter struct {
	src  *Packet
	size int    // payload bytes of a segment
	at   int    // payload bytes already cut
	n    uint16 // segments already cut
	done bool
}

// Init begins to cut p. A TCP segment gets at most max bytes of payload, and at
// most GSOSize where p is a super-packet. UDP datagrams keep their borders
// (GSOSize) whatever max says; one that is no super-packet comes out whole. p
// must not change until the last Next. False for other kinds, max < 1, and a
// checksum that is wrong (CsumUnknown is verified, since segments get fresh
// ones).
func (s *Segmenter) Init(p *Packet, max int) bool {
	*s = Segmenter{src: p, done: true}
	if max < 1 || !p.VerifyL4() {
		return false
	}
	switch p.Kind {
	case KindTCP:
		s.size = max
		if p.GSO != GSONone && p.GSOSize > 0 {
			s.size = min(max, int(p.GSOSize))
		}
	case KindUDP:
		s.size = p.End - p.Data
		if p.GSO != GSONone && p.GSOSize > 0 {
			s.size = int(p.GSOSize)
		}
	default:
		return false
	}
	s.done = false
	return true
}

// Left returns how many payload bytes are still to be cut.
func (s *Segmenter) Left() int {
	if s.done {
		return 0
	}
	return s.src.End - s.src.Data - s.at
}

// Next writes the next segment to dst.Buf at dst.Off, with the headers of the
// source, and sets all fields of dst; its checksum is partial. dst must not
// share memory with the source. False behind the last segment, and when
// dst.Buf is too small (then Left is not 0).
func (s *Segmenter) Next(dst *Packet) bool {
	if s.done {
		return false
	}
	src := s.src
	n := min(s.size, s.Left())
	head := src.Data - src.Off
	if dst.Off < 0 || dst.Off+head+n > len(dst.Buf) {
		return false
	}
	off := dst.Off
	copy(dst.Buf[off:], src.Buf[src.Off:src.Data])
	copy(dst.Buf[off+head:], src.Buf[src.Data+s.at:src.Data+s.at+n])
	dst.place(src, off)
	dst.End = off + head + n
	dst.GSO, dst.GSOSize = GSONone, 0
	s.number(dst, n)
	dst.Finish()
	return true
}

// number gives the segment its place in the flow and moves on.
func (s *Segmenter) number(dst *Packet, n int) {
	if !dst.V6() {
		be.PutUint16(dst.Buf[dst.Off+4:], s.src.IPID()+s.n)
	}
	last := s.at+n == s.src.End-s.src.Data
	if dst.Kind == KindTCP {
		s.numberTCP(dst, last)
	}
	s.at += n
	s.n++
	s.done = last
}

// numberTCP sets sequence number, flags and urgent pointer: SYN and CWR belong
// to the first segment, FIN, PSH and RST to the last.
func (s *Segmenter) numberTCP(dst *Packet, last bool) {
	h := dst.Buf[dst.L4:dst.Data]
	seq := be.Uint32(h[4:]) + uint32(s.at)
	flags := h[13]
	if s.n > 0 {
		if flags&FlagSYN != 0 {
			seq++
		}
		flags &^= FlagSYN | FlagCWR
	}
	if !last {
		flags &^= FlagFIN | FlagPSH | FlagRST
	}
	if flags&FlagURG != 0 {
		flags = urgent(h, flags, s.at)
	}
	be.PutUint32(h[4:], seq)
	h[13], dst.TCPFlags = flags, flags
}

// urgent moves the urgent pointer of header h to a segment that begins at bytes
// later, and drops it where the urgent data was before that.
func urgent(h []byte, flags uint8, at int) uint8 {
	up := int(be.Uint16(h[18:])) - at
	if up <= 0 && at > 0 {
		be.PutUint16(h[18:], 0)
		return flags &^ FlagURG
	}
	be.PutUint16(h[18:], uint16(up))
	return flags
}
