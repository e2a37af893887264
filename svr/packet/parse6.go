package packet

// Next-header values of IPv6 extension headers (RFC 8200 4.1).
const (
	nextHopByHop = 0
	nextRouting  = 43
	nextFragment = 44
	nextDestOpts = 60
)

// maxExtensions bounds the walk; RFC 8200 4.1 knows at most seven.
const maxExtensions = 8

// parse6 reads an IPv6 header (RFC 8200 3). Jumbograms are not carried.
func (p *Packet) parse6() error {
	b := p.Buf[p.Off:p.End]
	if len(b) < IPv6Size {
		return ErrShort
	}
	total := IPv6Size + int(be.Uint16(b[4:6]))
	if total > len(b) {
		return ErrLength
	}
	p.End = p.Off + total
	p.L4 = p.Off + IPv6Size
	p.next = 6
	p.T = Tuple{Proto: b[6], Family: 6, Src: [16]byte(b[8:24]), Dst: [16]byte(b[24:40])}
	switch b[6] {
	case ProtoTCP:
		return p.parseTCP()
	case ProtoUDP:
		return p.parseUDP()
	}
	return p.parseNext(b[:total])
}

// parseNext walks the extension headers of the IPv6 packet b up to the L4
// header or to a fragment header that is not atomic (RFC 6946).
func (p *Packet) parseNext(b []byte) error {
	w := walk6{b: b, at: IPv6Size, next: 6}
	for w.step() {
	}
	if w.err != nil {
		return w.err
	}
	p.L4, p.next, p.T.Proto = p.Off+w.at, uint16(w.next), b[w.next]
	if w.piece {
		return p.fragment(p.L4)
	}
	if w.routed {
		p.Data = p.L4
		return nil
	}
	return p.parseL4(p.T.Proto)
}

// walk6 is the walk over the extension headers of one IPv6 packet.
type walk6 struct {
	b      []byte
	at     int  // offset of the header that b[next] names
	next   int  // offset of the byte that names it
	count  int  // headers passed
	frag   int  // offset of the last fragment header passed, 0 without one
	before int  // offset of the byte that names that fragment header
	piece  bool // that fragment header belongs to a real fragment
	routed bool // a routing header has segments left
	err    error
}

// step passes one extension header and tells whether to go on.
func (w *walk6) step() bool {
	kind := w.b[w.next]
	switch kind {
	case nextHopByHop, nextRouting, nextDestOpts, nextFragment:
	default:
		return false
	}
	if len(w.b)-w.at < 8 {
		w.err = ErrShort
		return false
	}
	if w.count++; w.count > maxExtensions || kind == nextHopByHop && w.count > 1 {
		w.err = ErrHeader
		return false
	}
	if kind == nextFragment {
		return w.fragment()
	}
	if kind == nextRouting && w.b[w.at+3] != 0 {
		w.routed = true
	}
	n := 8 + 8*int(w.b[w.at+1])
	if len(w.b)-w.at < n {
		w.err = ErrLength
		return false
	}
	w.next = w.at
	w.at += n
	return true
}

// fragment passes a fragment header (RFC 8200 4.5); the walk ends behind one
// that is not atomic, because what follows may be the middle of something.
func (w *walk6) fragment() bool {
	w.frag, w.before = w.at, w.next
	w.piece = be.Uint16(w.b[w.at+2:])&0xfff9 != 0
	w.next = w.at
	w.at += fragSize
	return !w.piece
}
