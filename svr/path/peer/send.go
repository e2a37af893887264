package peer

import (
	"net/netip"

	"waymark/svr/wire"
)

// hopLimit is the TTL or hop limit of what we send.
const hopLimit = 64

// fullRepeats is how many packets in full form tell a change.
const fullRepeats = 3

const day = 24 * 3600 * second

// outgoing is what we say on a path.
type outgoing struct {
	epoch   wire.Epoch
	counter uint64
	ring    sentRing
	answers answers
	full    int    // packets that leave in full form for a change's sake
	fullAt  int64  // when the last full one left
	request []byte // goes along with the packet at hand
	bytes   uint64
	packets uint64
}

// recent says whether m echoes a packet of ours that left in the last 3 s: who
// sent m is alive now, whatever we knew of its epoch.
func (o *outgoing) recent(m *wire.Message, now int64) bool {
	if !m.Has.Has(wire.FieldEcho) || m.Echo.Epoch != o.epoch {
		return false
	}
	e := o.ring.find(m.Echo.Counter)
	return e != nil && now-e.at <= RestartTime
}

// wantsFull: the peer has something to learn. One that is silent for longer than
// an interval may have forgotten us.
func (p *Path) wantsFull(now int64) bool {
	silent := !p.thrift.active && now-p.in.at > p.period()*5/4
	return silent || !p.in.known || !p.in.knowsUs || p.m.State() != wire.BFDUp || p.out.full > 0 || now-p.out.fullAt >= day
}

// transmit sends a packet of the machine to the best endpoint.
func (p *Path) transmit(s *Set, pkt *wire.BFD, now int64) {
	to, ok := p.ends.Best()
	if !ok || !p.usable(to) {
		return
	}
	if p.wantsFull(now) {
		p.out.full = max(p.out.full-1, 0)
		p.sendFull(s, pkt, to, nil, now)
		return
	}
	p.sendSteady(s, pkt, to, now)
}

func (p *Path) sendSteady(s *Set, pkt *wire.BFD, to netip.AddrPort, now int64) {
	p.leave(s, p.signSteady(s, pkt, p.flags(s, now), now), to, 0, now)
}

// signSteady makes a frame of the steady form.
func (p *Path) signSteady(s *Set, pkt *wire.BFD, flags uint16, now int64) []byte {
	return p.cfg.Send.sign(p.steady(s, pkt, flags, now), &p.out.epoch, &p.in.epoch)
}

// steady begins a frame of the steady form with the next counter.
func (p *Path) steady(s *Set, pkt *wire.BFD, flags uint16, now int64) []byte {
	p.out.counter++
	held := min((now-p.in.at)/1e6, wire.HeldLong)
	return wire.AppendSteady(s.out[:0], pkt, wire.Steady{Counter: uint32(p.out.counter), Echo: uint32(p.in.counter),
		Held: uint16(held), Flags: flags})
}

// sendFull sends the message with the packet. stranger is a message that is
// answered although its epoch is not believed yet, nil for none.
func (p *Path) sendFull(s *Set, pkt *wire.BFD, to netip.AddrPort, stranger *wire.Message, now int64) {
	p.out.counter++
	p.out.fullAt = now
	m := wire.Message{Router: p.names.router, Node: p.names.node, Path: p.names.path, Software: p.names.software,
		Epoch: p.out.epoch, Counter: p.out.counter, Address: to, Sent: uint64(now) / 1000, Unix: uint64(max(p.wall(now), 0))}
	m.Has.Add(wire.FieldRouter, wire.FieldNode, wire.FieldPath, wire.FieldEpoch, wire.FieldCounter, wire.FieldAddress,
		wire.FieldSent, wire.FieldUnix, wire.FieldSoftware)
	switch {
	case stranger != nil:
		m.Echo = wire.Echo{Epoch: stranger.Epoch, Counter: stranger.Counter, Sent: stranger.Sent}
		m.Has.Add(wire.FieldEcho, wire.FieldHeld)
	case p.in.known:
		m.Echo = wire.Echo{Epoch: p.in.epoch, Counter: p.in.counter, Sent: p.in.sent}
		m.Held = uint64(now-p.in.at) / 1000
		m.Has.Add(wire.FieldEcho, wire.FieldHeld)
	}
	if len(p.out.request) > 0 {
		m.Request = p.out.request
		m.Has.Add(wire.FieldRequest)
	}
	p.seal(s, pkt, &m, to, now)
}

// Request sends a session request, field 12, on a path; false: the peer cannot
// be asked now. The bytes are not kept.
func (s *Set) Request(id uint16, request []byte, now int64) bool {
	p := s.Path(id)
	if p == nil || !p.in.known || p.m.State() != wire.BFDUp {
		return false
	}
	to, ok := p.ends.Best()
	if !ok || !p.usable(to) {
		return false
	}
	pkt := p.m.Packet()
	p.out.request = request
	p.sendFull(s, &pkt, to, nil, now)
	p.out.request = nil
	p.work(s, now)
	return true
}

// seal encrypts, signs and sends a message.
func (p *Path) seal(s *Set, pkt *wire.BFD, m *wire.Message, to netip.AddrPort, now int64) {
	s.text = wire.AppendMessage(s.text[:0], m)
	s.payload = wire.Payload{}
	s.payload.SetMessage(s.text)
	s.section = wire.AppendPayload(s.section[:0], &s.payload)
	s.cfg.IV.Next(&s.iv)
	sealed := p.cfg.Send.cipher.EncryptCBC(s.section, len(s.section), &s.iv)
	b := wire.AppendFull(s.out[:0], pkt, sealed)
	p.leave(s, p.cfg.Send.sign(b, nil, nil), to, 0, now)
}

// leave hands a finished datagram out.
func (p *Path) leave(s *Set, b []byte, to netip.AddrPort, scratch uint8, now int64) {
	p.out.ring.add(p.out.counter, to, now)
	p.count(len(b), to)
	if best, ok := p.ends.Best(); scratch == 0 && ok && best == to {
		p.thrift.used = now
	}
	s.sending = Sending{If: p.cfg.If, Local: p.local, Port: wire.BFDPort, Scratch: scratch, To: to, Hops: hopLimit, DSCP: p.cfg.DSCP, Data: b, Whole: p.fragile}
	s.cfg.Out.Transmit(&s.sending)
}

// ipBytes is what IP and UDP add to a datagram.
func ipBytes(to netip.AddrPort) uint64 {
	if to.Addr().Is4() {
		return 28
	}
	return 48
}

// answer tells an unknown epoch what it must echo to be believed. Nothing is
// believed here, so the packet speaks to the sender's discriminator.
func (p *Path) answer(s *Set, d *Datagram, now int64) {
	if !p.usable(d.From) || !p.out.answers.allow(now) {
		return
	}
	pkt := p.m.Packet()
	pkt.YourDisc = s.frame.BFD.MyDisc
	stranger := s.message
	p.sendFull(s, &pkt, d.From, &stranger, now)
}

// challenge asks a source that nobody knew to prove that it hears us, with a
// poll, which is answered at once.
func (p *Path) challenge(s *Set, d *Datagram, room int, now int64) {
	pkt := p.m.Packet()
	pkt.Poll, pkt.Final = true, false
	if !p.usable(d.From) || !p.in.knowsUs || room < steadyBytes {
		return
	}
	before := p.out.bytes
	p.sendSteady(s, &pkt, d.From, now)
	p.ends.Asked(d.From, int(p.out.bytes-before), now)
}

// steadyBytes is an IP packet of the steady form, IPv6.
const steadyBytes = 116
