package packet

import "bytes"

// maxUDPSegments is how many datagrams the kernel takes as one super-packet
// (UDP_MAX_SEGMENTS; 64 up to Linux 6.8).
const maxUDPSegments = 64

// Coalescer merges in-order packets of one flow into super-packets, as GRO
// does, for an egress that takes them. Its memory is the buffers given at
// construction: one open flow each. Order within a flow is kept. It is not safe
// for concurrent use.
type Coalescer struct {
	// UDP makes datagrams of equal length merge too (GSOUDP).
	UDP bool

	flows []openFlow
	emit  func(*Packet)
	head  int
	clock uint32 // rises with every opened flow
	open  int
}

// openFlow is one super-packet in the making.
type openFlow struct {
	buf   []byte // the flow's own buffer, wherever p is lent to
	p     Packet
	seq   uint32 // sequence number that continues it
	count int    // packets in it, 0: closed
	size  int    // payload bytes of its first packet
	age   uint32
}

// NewCoalescer makes a coalescer that keeps up to len(bufs) flows open. Each
// buffer takes one super-packet behind headroom bytes (64 KB + headroom hold
// the longest). emit sends a packet; it is lent until emit returns.
func NewCoalescer(bufs [][]byte, headroom int, emit func(*Packet)) *Coalescer {
	c := &Coalescer{flows: make([]openFlow, len(bufs)), emit: emit, head: headroom}
	for i := range bufs {
		c.flows[i].buf = bufs[i]
	}
	return c
}

// Add takes a copy of p (true): it is emitted later, alone or merged. Or it
// leaves p to the caller (false): send it now. Whatever was open of its flow
// has then been emitted before. Packets of state CsumUnknown are never taken,
// because a merged packet gets a fresh checksum.
func (c *Coalescer) Add(p *Packet) bool {
	f := c.find(p)
	if !c.mergeable(p) {
		c.close(f)
		return false
	}
	if f != nil {
		if f.continues(p) {
			c.append(f, p)
			return true
		}
		c.close(f)
	}
	if p.TCPFlags&(FlagPSH|FlagFIN) != 0 && p.Kind == KindTCP {
		return false // nothing may follow it: no need to copy
	}
	return c.start(p)
}

// Flush emits everything that is open, oldest first.
func (c *Coalescer) Flush() {
	for c.open > 0 {
		c.close(c.oldest())
	}
}

// find returns the open flow of p.
func (c *Coalescer) find(p *Packet) *openFlow {
	if c.open == 0 {
		return nil
	}
	for i := range c.flows {
		f := &c.flows[i]
		if f.count > 0 && f.p.T == p.T && f.p.If == p.If {
			return f
		}
	}
	return nil
}

// oldest returns the flow that has been open for longest.
func (c *Coalescer) oldest() *openFlow {
	var o *openFlow
	for i := range c.flows {
		f := &c.flows[i]
		if f.count > 0 && (o == nil || int32(f.age-o.age) < 0) {
			o = f
		}
	}
	return o
}

// mergeable tells whether p may be part of a super-packet at all.
func (c *Coalescer) mergeable(p *Packet) bool {
	if p.GSO != GSONone || p.Csum == CsumUnknown || p.End == p.Data || !p.plain() {
		return false
	}
	if p.Kind == KindUDP {
		return c.UDP && !p.noCsum(p.csumAt())
	}
	return p.Kind == KindTCP && p.TCPFlags&FlagACK != 0 &&
		p.TCPFlags&^(FlagACK|FlagPSH|FlagFIN|FlagECE) == 0
}

// start opens a flow with p, in place of the oldest when all are open.
func (c *Coalescer) start(p *Packet) bool {
	f := c.vacant()
	if f == nil {
		return false
	}
	f.p.Buf, f.p.Off = f.buf, c.head
	if !p.CopyTo(&f.p) {
		return false
	}
	f.count, f.size = 1, p.End-p.Data
	if p.Kind == KindTCP {
		f.seq = p.Seq() + uint32(f.size)
	}
	c.clock++
	f.age = c.clock
	c.open++
	return true
}

// vacant returns a closed flow; it emits the oldest when there is none.
func (c *Coalescer) vacant() *openFlow {
	if c.open == len(c.flows) {
		o := c.oldest()
		c.close(o)
		return o
	}
	for i := range c.flows {
		if c.flows[i].count == 0 {
			return &c.flows[i]
		}
	}
	return nil
}

// continues tells whether p may be appended to f.
func (f *openFlow) continues(p *Packet) bool {
	n := p.End - p.Data
	if n > f.size || f.p.Len()+n > MaxLen || f.p.End+n > len(f.p.Buf) {
		return false
	}
	if !f.sameIP(p) {
		return false
	}
	if p.Kind == KindUDP {
		return f.count < maxUDPSegments
	}
	return f.seq == p.Seq() && f.sameTCP(p)
}

// sameIP compares what a receiver could see of the IP headers. Without DF the
// identifications must count up, since cutting the super-packet counts so.
func (f *openFlow) sameIP(p *Packet) bool {
	a, b := f.p.Buf[f.p.Off:], p.Buf[p.Off:]
	if p.V6() {
		return be.Uint32(a) == be.Uint32(b) && a[7] == b[7]
	}
	if a[1] != b[1] || a[8] != b[8] || a[6] != b[6] {
		return false
	}
	return p.DF() || f.p.IPID()+uint16(f.count) == p.IPID()
}

// sameTCP compares acknowledgement, window, flags but PSH and FIN, and options.
func (f *openFlow) sameTCP(p *Packet) bool {
	const last = FlagPSH | FlagFIN
	a, b := f.p.Buf[f.p.L4:f.p.Data], p.Buf[p.L4:p.Data]
	return len(a) == len(b) &&
		be.Uint32(a[8:]) == be.Uint32(b[8:]) &&
		be.Uint16(a[14:]) == be.Uint16(b[14:]) &&
		a[13]&^last == b[13]&^last &&
		bytes.Equal(a[TCPSize:], b[TCPSize:])
}

// append adds the data of p to f, and closes f behind a packet that must be its
// last.
func (c *Coalescer) append(f *openFlow, p *Packet) {
	n := copy(f.p.Buf[f.p.End:], p.Payload())
	f.p.End += n
	f.seq += uint32(n)
	f.count++
	last := p.TCPFlags & (FlagPSH | FlagFIN)
	if p.Kind == KindTCP && last != 0 {
		f.p.TCPFlags |= last
		f.p.Buf[f.p.L4+13] = f.p.TCPFlags
	}
	if n < f.size || last != 0 {
		c.close(f)
	}
}

// close emits f, if it is open.
func (c *Coalescer) close(f *openFlow) {
	if f == nil || f.count == 0 {
		return
	}
	if f.count > 1 {
		f.p.GSO = superKind(&f.p)
		f.p.GSOSize = uint16(f.size)
		f.p.Finish()
	}
	f.count = 0
	c.open--
	c.emit(&f.p)
}

// superKind returns the GSO type for the packet's protocol and family.
func superKind(p *Packet) GSO {
	switch {
	case p.Kind == KindUDP:
		return GSOUDP
	case p.V6():
		return GSOTCP6
	}
	return GSOTCP4
}
