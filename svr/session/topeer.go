package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// outgoing is the plan for one packet towards a peer.
type outgoing struct {
	i      uint32
	d      int // direction
	r      *record
	g      *leg
	a      pool.Action
	pol    *secure.Policy // payload policy, nil without
	seal   bool           // we are the end that encrypts
	mtu    int
	change bool   // the L4 header changes form
	syn    bool   // the packet is a TCP SYN
	marks  bool   // a SYN leaves in UDP: metadata says so
	meta   []byte // in clear, for the packet at hand, if it was composed to know its size
}

// toPeer sends a packet out on an SVR leg, with what the handshake and the
// policies ask for.
func (e *Engine) toPeer(p *packet.Packet, i uint32, d int) {
	o := e.planFor(i, d, p.T.Proto)
	e.padTTL(p, o.g.path)
	o.syn = p.Kind == packet.KindTCP && p.TCPFlags&flagSYN != 0
	o.marks = o.change && o.syn || e.marked && o.a.To.Proto == packet.ProtoUDP
	bare := !o.g.signal() && o.pol == nil && !o.change
	switch {
	case o.syn:
		e.clampSYN(p, &o)
	case bare && p.GSO != packet.GSONone:
		if fits(p, &o.a.To, o.mtu) && !e.hasCookie(p) {
			e.emit(p, o.r.slot[d], &o.a, o.g.ifc)
			return
		}
	}
	if p.GSO != packet.GSONone {
		e.segmentToPeer(p, &o, e.segmentRoom(p, &o, 0))
		return
	}
	e.sendToPeer(p, &o)
}

// planFor prepares what holds for all packets of direction d that come in with
// protocol proto.
func (e *Engine) planFor(i uint32, d int, proto uint8) outgoing {
	r := &e.recs[i]
	o := outgoing{i: i, d: d, r: r, g: &r.leg[1-d], a: e.table.Action(r.slot[d])}
	if e.protected(r) {
		o.pol = e.payload(r)
		o.seal = e.ends(r, d) && o.pol.Encrypts()
	}
	if o.g.kind() == kindSVR {
		o.mtu = e.pathMTU(o.g.path)
	}
	o.change = proto != o.a.To.Proto
	return o
}

// lasting is the most that every packet of this leg grows by, compared with
// the packet as it is now: header exchange, transform, ciphertext and digest.
func (e *Engine) lasting(p *packet.Packet, o *outgoing) int {
	n := 0
	switch {
	case p.T.Family == 4 && o.a.To.Family == 6:
		n = packet.IPv6Size - packet.IPv4Size
	case p.T.Family == 6 && o.a.To.Family == 4:
		n = packet.IPv4Size - packet.IPv6Size
	}
	if o.change {
		n += transformCost(p.T.Proto)
	}
	if o.pol != nil {
		n += o.pol.DigestSize()
		if o.seal {
			n += o.pol.Overhead()
		}
	}
	return n
}

// transformCost is what the transform to UDP adds (docs/wire.md 7): a TCP
// segment loses its ports to the UDP header, an ICMP message stays whole.
func transformCost(proto uint8) int {
	if proto == packet.ProtoTCP {
		return packet.UDPSize - 4
	}
	return packet.UDPSize
}

// clampSYN keeps the segments of a connection inside the path, so that full
// speed makes no fragment (docs/wire.md 11).
func (e *Engine) clampSYN(p *packet.Packet, o *outgoing) {
	ip := packet.IPv4Size
	if p.V6() {
		ip = packet.IPv6Size
	}
	room := o.mtu - e.lasting(p, o) - ip - packet.TCPSize
	if o.pol != nil && o.pol.Encrypts() && !o.seal {
		room -= o.pol.Overhead() // what both ends encrypt has to pass as well
	}
	if f := &e.ifs[o.g.ifc]; f.mss > 0 {
		room = min(room, f.mss)
	}
	p.ClampMSS(uint16(max(room, 64)))
}

// segmentRoom is how many payload bytes a segment of p may have when meta
// bytes of metadata and its digest are added.
func (e *Engine) segmentRoom(p *packet.Packet, o *outgoing, meta int) int {
	room := o.mtu - (p.Data - p.Off) - e.lasting(p, o) - meta
	if o.g.signal() && meta == 0 {
		room -= e.metadataSize(o) + e.paths[o.g.path].send.DigestSize()
	}
	if p.GSO != packet.GSONone {
		room = min(room, int(p.GSOSize))
	}
	return room
}

// segmentToPeer cuts p and sends the segments one by one.
func (e *Engine) segmentToPeer(p *packet.Packet, o *outgoing, room int) {
	if room < 1 {
		e.refuseSize(p, o.i, o.d, e.fitting(p, o))
		return
	}
	var cut packet.Segmenter // not shared: sending a segment may cut it again
	cut.Init(p, room)
	if e.sealsTogether(o) {
		e.sealSegments(&cut, o)
		return
	}
	for b := e.nextSegment(&cut); b != nil; b = e.nextSegment(&cut) {
		e.sendToPeer(b, o)
	}
}

// nextSegment returns the next packet that cut makes, nil after the last or
// without a buffer.
func (e *Engine) nextSegment(cut *packet.Segmenter) *packet.Packet {
	b := e.out.Buffer(false)
	if b == nil {
		e.stats.Add(DropBuffer, 1)
		return nil
	}
	if !cut.Next(b) {
		return nil
	}
	return b
}

// sendToPeer sends one packet that is no super-packet.
func (e *Engine) sendToPeer(p *packet.Packet, o *outgoing) {
	if !p.VerifyL4() {
		e.stats.Add(DropChecksum, 1)
		return
	}
	bareSize := e.bareSize(p, o)
	if bareSize > o.mtu {
		if (p.DF() || p.V6()) && e.largest == 0 && e.refusable(p, o) {
			e.refuseSize(p, o.i, o.d, e.fitting(p, o))
			return
		}
		e.build(p, o, true)
		return
	}
	if !o.g.signal() {
		e.build(p, o, false)
		return
	}
	b, send := e.compose(o), e.paths[o.g.path].send
	meta, dig := e.sealedSize(b, send), send.DigestSize()
	over := bareSize - e.bareDigest(p, o) + meta + dig - o.mtu
	if over <= 0 {
		o.meta = b
		e.build(p, o, false)
		o.meta = nil
		return
	}
	if room := e.segmentRoom(p, o, meta+dig); e.splits(p, room) {
		e.segmentToPeer(p, o, room)
		return
	}
	e.build(p, o, true)
}

// splits says whether two segments of room bytes take p (docs/wire.md 11).
func (e *Engine) splits(p *packet.Packet, room int) bool {
	n := p.End - p.Data
	return p.Kind == packet.KindTCP && room > 0 && n > room && n <= 2*room &&
		p.TCPFlags&(flagSYN|flagRST) == 0
}

// dataSize is the number of bytes behind the outer L4 header before anything
// is added, and the size of that header.
func dataSize(p *packet.Packet, change bool) (data, l4 int) {
	data, l4 = p.End-p.Data, p.Data-p.L4
	if change {
		data, l4 = p.End-p.L4, packet.UDPSize
		if p.T.Proto == packet.ProtoTCP {
			data -= 4
		}
	}
	return data, l4
}

// bareSize is the length of the outer packet without metadata.
func (e *Engine) bareSize(p *packet.Packet, o *outgoing) int {
	data, l4 := dataSize(p, o.change)
	ip := packet.IPv4Size
	if o.a.To.Family == 6 {
		ip = packet.IPv6Size
	}
	if o.seal && data > 0 {
		data = encryptedLen(o.pol, data)
	}
	return ip + l4 + data + e.bareDigest(p, o)
}

// bareDigest is the size of the service's digest on p.
func (e *Engine) bareDigest(p *packet.Packet, o *outgoing) int {
	if data, _ := dataSize(p, o.change); o.pol == nil || data == 0 {
		return 0
	}
	return o.pol.DigestSize()
}

// build turns p into the outer packet and sends it, in pieces when fragment is
// set.
func (e *Engine) build(p *packet.Packet, o *outgoing, fragment bool) {
	if e.transform(p, o) {
		e.finishBuild(p, o, fragment)
	}
}

// finishBuild seals p, which has its outer form, and dresses it.
func (e *Engine) finishBuild(p *packet.Packet, o *outgoing, fragment bool) {
	if e.sealsLater(p, o, fragment) {
		e.sealLater(p, o)
		return
	}
	signed := o.seal && !o.g.signal() && !fragment
	if o.seal && !e.seal(p, o, signed) {
		return
	}
	e.dress(p, o, fragment, signed)
}

// transform gives p the UDP header of the transform, if there is one.
func (e *Engine) transform(p *packet.Packet, o *outgoing) bool {
	if o.change && !p.ToUDP(o.a.To.SrcPort, o.a.To.DstPort) {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	return true
}

// dress puts what belongs in front of the data and behind it, and sends p.
// signed: the service's digest is there already.
func (e *Engine) dress(p *packet.Packet, o *outgoing, fragment, signed bool) {
	touched := o.g.signal() || o.pol != nil || o.change || fragment
	switch {
	case o.g.signal():
		if !e.addMetadata(p, o) {
			return
		}
	case wire.HasCookie(p.Payload()):
		if signed { // a digest covers what is inserted here
			p.Trim(o.pol.DigestSize())
			signed = false
		}
		if p.InsertData(wire.HeaderSize) == nil {
			e.stats.Add(DropNoRoom, 1)
			return
		}
		wire.AppendFalsePositive(p.Buf[p.Data:p.Data])
		e.stats.Add(FalsePositiveAdded, 1)
		touched = true
	}
	if fragment {
		e.fabricSend(p, o)
		return
	}
	if !signed && !e.sign(p, o) {
		return
	}
	if touched {
		p.Finish()
	}
	e.emit(p, o.r.slot[o.d], &o.a, o.g.ifc)
}

// seal encrypts the data of p, and with sign appends the service's digest.
func (e *Engine) seal(p *packet.Packet, o *outgoing, sign bool) bool {
	n := p.End - p.Data
	if n == 0 {
		return true
	}
	buf := p.Buf[p.Data:]
	if encryptedLen(o.pol, n)+o.pol.DigestSize() > len(buf) {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	if !o.pol.Cipher().GCM() {
		e.cfg.IV.Next(&e.meta.iv)
		if sign {
			p.End = p.Data + len(o.pol.SealCBC(buf, n, &e.meta.iv, e.unix))
		} else {
			p.End = p.Data + len(o.pol.EncryptCBC(buf, n, &e.meta.iv))
		}
		return true
	}
	k := e.keys.gcm(e.keys.out(o.r.key), o.d)
	if k == nil {
		e.stats.Add(DropState, 1)
		return false
	}
	out, err := k.Seal(buf, n)
	if err != nil {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	p.End = p.Data + len(out)
	return true
}

// sign appends the digest: the inter-router policy's with metadata, the
// service's without.
func (e *Engine) sign(p *packet.Packet, o *outgoing) bool {
	pol := o.pol
	if o.g.signal() {
		pol = e.paths[o.g.path].send
	}
	if pol == nil || p.End == p.Data {
		return true
	}
	return e.appendDigest(p, pol)
}

func (e *Engine) appendDigest(p *packet.Packet, pol *secure.Policy) bool {
	n := pol.DigestSize()
	if n == 0 {
		return true
	}
	msg := p.Payload()
	if p.Extend(n) == nil {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	pol.AppendDigest(msg, msg, e.unix)
	return true
}

// encryptedLen is the length of n > 0 bytes of plaintext under pol.
func encryptedLen(pol *secure.Policy, n int) int {
	if pol.Cipher().GCM() {
		return n + secure.GCMOverhead
	}
	return n - n%16 + secure.CBCOverhead
}
