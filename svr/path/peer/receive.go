package peer

import (
	"bytes"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

// full takes a frame with a message.
func (s *Set) full(d *Datagram, now int64) Drop {
	k := s.keys(d.If)
	if k == nil {
		return DropUnknown
	}
	if !k.verify(&s.frame, nil, nil) {
		return DropDigest
	}
	if !s.read(k) {
		return DropMessage
	}
	p := s.pathOf(d)
	if p == nil {
		return DropUnknown
	}
	return p.full(s, d, now)
}

// read decrypts and parses the message of an authentic frame.
func (s *Set) read(k *Keys) bool {
	section, err := k.cipher.DecryptCBC(s.frame.Section)
	if err != nil || wire.ParsePayload(section, &s.payload) != nil {
		return false
	}
	m := &s.message
	return s.payload.Has.Has(wire.TypeBFDMessage) && wire.ParseMessage(s.payload.Message, m) == nil &&
		m.Has.Has(wire.FieldEpoch) && m.Has.Has(wire.FieldCounter) && m.Has.Has(wire.FieldRouter) && m.Counter != 0
}

// pathOf finds the path of an authentic message: by our discriminator, else by
// the peer's name and its name of the interface, else the only one there is.
// The source address decides nothing: nobody vouches for it.
func (s *Set) pathOf(d *Datagram) *Path {
	m := &s.message
	if p := s.byDisc[s.frame.BFD.YourDisc]; p != nil {
		if p.cfg.If != d.If || p.cfg.Peer != string(m.Router) {
			return nil
		}
		return p
	} // else the peer speaks to who we were before we started again
	list := s.byPeer[peerKey{d.If, string(m.Router)}]
	name, _, _ := bytes.Cut(m.Path, []byte(":"))
	var found *Path
	for _, p := range list {
		switch {
		case !p.serves(d):
		case p.cfg.PeerInterface == string(name):
			return p
		case p.cfg.PeerInterface == "" || len(list) == 1:
			found = p
		}
	}
	return found
}

// serves says whether a path has the family of a datagram, and its own address
// where that is known.
func (p *Path) serves(d *Datagram) bool {
	return p.local.IsValid() && p.local.Is4() == d.From.Addr().Is4()
}

// steady takes a frame of a peer that knows us.
func (s *Set) steady(d *Datagram, now int64) Drop {
	p := s.byDisc[s.frame.BFD.YourDisc]
	if p == nil || p.cfg.If != d.If || !p.in.known {
		return DropUnknown
	}
	k := s.keys(d.If)
	if k == nil || !k.verify(&s.frame, &p.in.epoch, &p.out.epoch) {
		return DropDigest
	}
	st := &s.frame.Header.Steady
	if !p.in.window.fresh(uint64(st.Counter)) {
		return DropReplay
	}
	if p.m.Check(&s.frame.BFD) != bfd.DropNone {
		return DropBFD
	}
	newest := p.in.window.take(uint64(st.Counter))
	if st.Flags&(wire.FlagLifetime|wire.FlagAnswer) != 0 {
		return p.lifetime(s, d, st.Flags, now)
	}
	if newest {
		p.in.counter, p.in.sent, p.in.at = uint64(st.Counter), 0, d.At
		p.flagged(s, st, now)
	}
	held := int64(-1)
	if st.Held != wire.HeldLong {
		held = int64(st.Held) * 1e6
	}
	p.accept(s, d, uint64(st.Echo), held, now)
	return None
}

// full takes an authentic message of this path's peer.
func (p *Path) full(s *Set, d *Datagram, now int64) Drop {
	m, pkt := &s.message, &s.frame.BFD
	same := p.in.known && m.Epoch == p.in.epoch
	if same && !p.in.window.fresh(m.Counter) {
		return DropReplay
	}
	if !same && !p.out.recent(m, now) {
		p.answer(s, d, now)
		return DropEpoch
	}
	if p.m.Check(pkt) != bfd.DropNone {
		return DropBFD
	}
	if !same {
		p.greet(m, now)
	}
	if p.in.window.take(m.Counter) {
		p.in.counter, p.in.sent, p.in.at = m.Counter, m.Sent, d.At
	}
	before := p.natAddr
	p.noted(s, d)
	p.rebound(before, now)
	echo, held := uint64(0), int64(-1)
	if m.Has.Has(wire.FieldEcho) && m.Echo.Epoch == p.out.epoch {
		echo, held = m.Echo.Counter, int64(min(m.Held, 1e9))*1000
	}
	p.accept(s, d, echo, held, now)
	return None
}

// greet begins a new epoch of the peer, which proved that it is now.
func (p *Path) greet(m *wire.Message, now int64) {
	again := p.in.known
	p.in = belief{known: true, epoch: m.Epoch, since: now}
	p.in.window = window{newest: m.Counter - 1, seen: ^uint64(0)} // what it said before is old
	p.out.full = fullRepeats
	p.health.peerSays = false
	if again {
		p.restarted = true
		p.m.Restart(now)
		p.ends.Forget()
	}
	p.m.Tell(now)
}

// noted keeps what a message tells beside BFD.
func (p *Path) noted(s *Set, d *Datagram) {
	m := &s.message
	if m.Has.Has(wire.FieldAddress) {
		p.seenAs(m.Address)
	}
	if m.Has.Has(wire.FieldUnix) {
		p.theirUnix, p.ourWall = int64(m.Unix), d.Wall
	}
	if m.Has.Has(wire.FieldRequest) {
		s.cfg.Out.Requested(p, m.Request)
	}
}

// accept ends the way of every packet that is believed. echo is a counter of
// ours that the peer held for so long, 0 for none; held below 0: not known.
func (p *Path) accept(s *Set, d *Datagram, echo uint64, held, now int64) {
	p.in.hops = d.Hops
	e := p.out.ring.find(echo)
	if e != nil {
		p.in.knowsUs = true
	}
	if p.quality.tested(echo) && s.frame.BFD.Final {
		p.heardAs(asTest, d)
	} else {
		p.heardAs(asBFD, d)
	}
	challenge, room := p.ends.Heard(d.From, len(d.Data)+28, now)
	if e != nil {
		rtt := p.measure(e, held, d.At)
		if s.frame.BFD.Final {
			p.quality.answeredTest(echo, rtt)
			if e.probe > 0 {
				p.mtu.Answered(e.probe, now)
			}
		}
		if e.to == d.From {
			p.ends.Proved(d.From, rtt, now)
			p.elsewhere(s, d.From, now)
			challenge = false
		}
	}
	if s.frame.BFD.Poll && !p.quality.polls.within(pollsAnswered, now) {
		s.frame.BFD.Poll = false
	}
	p.m.Accept(&s.frame.BFD, now)
	p.authentic(now)
	if challenge {
		p.challenge(s, d, room, now)
	}
	p.work(s, now)
}

// measure takes the round trip of a packet of ours the first time that it is
// echoed, by a packet that arrived at a time.
func (p *Path) measure(e *sentTo, held, at int64) int64 {
	if held < 0 || e.counter <= p.in.echoed {
		return 0
	}
	p.in.echoed = e.counter
	rtt := at - e.at - held
	if rtt <= 0 {
		rtt = 1
	}
	p.rtt.sample(rtt)
	p.clockSample(rtt)
	return rtt
}
