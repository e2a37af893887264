package packet

// ipKey tells IP packets in pieces apart (RFC 791 3.2, RFC 8200 4.5; IPv6 has
// no protocol in it).
type ipKey struct {
	src, dst [16]byte
	id       uint32
	iface    uint16
	proto    uint8
	family   uint8
}

// maxFragHead is the longest header before the pieces that is kept: the longest
// IPv4 header, or an IPv6 header with a few options.
const maxFragHead = 128

// ipHead is what the reassembler keeps beside the pieces of a packet.
type ipHead struct {
	head    [maxFragHead]byte // header of the first fragment, up to its pieces
	n       int               // bytes of it, 0 before the first fragment came
	next    int               // offset of the byte that names the L4 protocol
	proto   uint8             // what that byte becomes
	largest int               // length of the longest fragment
	ecn     uint8             // bit mask of the ECN values seen
}

// IPReassembler joins the IP fragments of both families into packets.
type IPReassembler struct {
	r     *Reassembler[ipKey]
	heads []ipHead // of the contexts, by index
}

// NewIPReassembler makes an IPReassembler with all its memory.
func NewIPReassembler(cfg ReassemblerConfig) *IPReassembler {
	r := newReassembler[ipKey](cfg)
	return &IPReassembler{r: r, heads: make([]ipHead, len(r.contexts))}
}

// Counters returns the counters.
func (f *IPReassembler) Counters() ReassemblyCounters { return f.r.Counters() }

// InUse returns how many packets are in the making, and how many can be.
func (f *IPReassembler) InUse() (used, capacity int) { return f.r.InUse() }

// Expire gives up the packets whose time is over.
func (f *IPReassembler) Expire(now int64) { f.r.Expire(now) }

// Add takes a copy of the fragment p (KindFragment). With the last missing one
// it writes the whole packet to dst.Buf at dst.Off, parses it and returns true;
// its L4 checksum is the sender's, unverified. largest is the length of the
// longest fragment it came in. dst may share memory with p.
func (f *IPReassembler) Add(now int64, p, dst *Packet) (done bool, largest int, err error) {
	c, h, err := f.take(now, p)
	if c == nil || err != nil {
		return false, 0, err
	}
	return f.finish(c, h, p.If, dst)
}

// Join is Add for callers whose large buffers are few: room is asked for one
// with the last missing fragment only, and may answer nil (ErrPieceRoom). whole
// is that buffer once the packet is complete, nil before.
func (f *IPReassembler) Join(now int64, p *Packet, room func() *Packet) (whole *Packet, largest int, err error) {
	c, h, err := f.take(now, p)
	if c == nil || err != nil {
		return nil, 0, err
	}
	dst := room()
	if dst == nil {
		return nil, 0, f.r.giveUp(c, ErrPieceRoom)
	}
	done, largest, err := f.finish(c, h, p.If, dst)
	if !done {
		return nil, 0, err
	}
	return dst, largest, nil
}

// take keeps a copy of fragment p; c is nil while others are missing.
func (f *IPReassembler) take(now int64, p *Packet) (c *context[ipKey], h *ipHead, err error) {
	if p.Kind != KindFragment {
		return nil, nil, ErrPieceMalformed
	}
	key, offset, more := p.fragKey()
	c, err = f.r.add(now, key, offset, more, p.Buf[p.L4:p.End])
	if err != nil {
		return nil, nil, err
	}
	h = &f.heads[c.index]
	if c.count == 1 {
		*h = ipHead{}
	}
	if err := h.learn(p, offset); err != nil {
		return nil, nil, f.r.giveUp(c, err)
	}
	if c.got != c.total {
		return nil, nil, nil
	}
	return c, h, nil
}

// fragKey reads key, offset in bytes and the more bit of a fragment.
func (p *Packet) fragKey() (key ipKey, offset int, more bool) {
	key = ipKey{src: p.T.Src, dst: p.T.Dst, iface: p.If, family: p.T.Family}
	if p.V6() {
		h := p.Buf[p.L4-fragSize : p.L4]
		w := be.Uint16(h[2:])
		key.id = be.Uint32(h[4:])
		return key, int(w &^ 7), w&1 != 0
	}
	w := be.Uint16(p.Buf[p.Off+6:])
	key.id, key.proto = uint32(p.IPID()), p.T.Proto
	return key, int(w&0x1fff) * unit, w&0x2000 != 0
}

// learn notes what the packet's header will need from one fragment.
func (h *ipHead) learn(p *Packet, offset int) error {
	h.largest = max(h.largest, p.Len())
	h.ecn |= 1 << (p.TOS() & 3)
	if offset != 0 {
		return nil
	}
	n, next := p.L4-p.Off, int(p.next)
	if p.V6() {
		w := walk6{b: p.IP(), at: IPv6Size, next: 6}
		for w.step() {
		}
		n, next = n-fragSize, w.before
	}
	if n > maxFragHead {
		return ErrPieceMalformed
	}
	copy(h.head[:], p.Buf[p.Off:p.Off+n])
	h.n, h.next, h.proto = n, next, p.T.Proto
	return nil
}

// finish writes the complete packet c behind its header to dst.
func (f *IPReassembler) finish(c *context[ipKey], h *ipHead, ifc uint16, dst *Packet) (bool, int, error) {
	if dst.Off < 0 || dst.Off+h.n+c.total > len(dst.Buf) {
		return false, 0, f.r.giveUp(c, ErrPieceRoom)
	}
	whole := h.n + c.total
	if c.key.family == 6 {
		whole -= IPv6Size
	}
	const ce, notECT = 1 << 3, 1 << 0
	if whole > MaxLen || h.ecn&(ce|notECT) == ce|notECT { // RFC 3168 5.3
		return false, 0, f.r.giveUp(c, ErrPieceLength)
	}
	copy(dst.Buf[dst.Off:], h.head[:h.n])
	end := dst.Off + h.n + f.r.join(c, dst.Buf[dst.Off+h.n:])
	dst.Reset(dst.Buf, dst.Off, end, ifc)
	if c.key.family == 6 {
		be.PutUint16(dst.Buf[dst.Off+4:], uint16(whole))
		dst.Buf[dst.Off+h.next] = h.proto
	} else {
		dst.L4 = dst.Off + h.n
		be.PutUint16(dst.Buf[dst.Off+2:], uint16(whole))
		dst.Buf[dst.Off+6] &= 0x40
		dst.Buf[dst.Off+7] = 0
		dst.sealIP4()
	}
	if err := dst.Parse(); err != nil {
		return false, 0, err
	}
	if h.ecn&ce != 0 {
		dst.SetTOS(dst.TOS() | 3)
	}
	return true, h.largest, nil
}
