package peer

import "waymark/svr/wire"

// BFD may be up on a path that is of no use: its small packets pass, what
// sessions send does not. Such a path counts as down until that is over. Either
// side may find out; it tells the other, for the one that opened a session
// moves it.

// Sickness is why a path whose BFD is up counts as down all the same.
type Sickness uint8

// The sicknesses, and their evidence.
const (
	Healthy  Sickness = iota
	SickMTU           // probes of 1,280 bytes have no answer
	SickData          // health checks of sessions have none
	SickPeer          // the peer says that what it sends does not arrive here
)

// String names the evidence.
func (s Sickness) String() string {
	return [...]string{"", "mtu", "no-data", "peer-no-data"}[s%4]
}

// How long a path stays down whose sessions had no answers. Nothing but
// sessions can show that they pass again, so it is tried after a time that
// doubles whenever that was too early.
const (
	dataHoldFirst = 10 * second
	dataHoldMost  = 3600 * second
)

// health is what is known beside BFD.
type health struct {
	sick     Sickness
	since    int64
	peerSays bool  // wire.FlagNoData of the newest packet
	until    int64 // SickData holds so long, 0: no
	hold     int64 // next time for so long
	healed   int64 // when that ended last
	doubt    doubt
	// excused: health checks that left before then may lack an answer for a good reason.
	excused int64
}

// doubt is what NoData was told and asks BFD about.
type doubt struct {
	asked   int64  // as NoData was told; 0: none
	counter uint64 // of the first poll that left then
	polls   int    // that left
	last    int64  // when the last one did
	finals  int    // answers without an excuse
	proved  int64  // when there were enough, 0: not yet
}

// pollsEach is how many polls must be answered in a row: a line that loses much answers
// one now and then.
const pollsEach = 2

// Sick returns why a path counts as down though BFD is up.
func (p *Path) Sick() Sickness { return p.health.sick }

// settleTime is how long a peer that started anew may take to know its sessions.
const settleTime = 5 * second

// NoData tells that health checks of sessions on a path had no answers; asked is
// when the last one left, and what had arrived before seen has been looked at. Tell
// it again as long as that is so: BFD is asked, too, and what decides is a poll that
// left later than the health checks, was answered, and still they are not. A line
// that stood still for a moment answers both, and a peer that starts anew neither.
// A peer that sheds load says so in the answer, and where sessions hear anything data
// passes: then only what is asked later counts.
func (s *Set) NoData(id uint16, asked, seen, now int64) {
	p := s.Path(id)
	if p == nil || p.health.until > now || !p.ready() || now-p.in.since < settleTime || asked <= p.health.excused {
		return
	}
	if !p.doubted(s, asked, seen, now) {
		return
	}
	h := &p.health
	if s.cfg.Out.Talking(p, asked) {
		h.excused = now
		return
	}
	if h.hold == 0 || now-h.healed > 2*h.hold {
		h.hold = dataHoldFirst
	} else {
		h.hold = min(2*h.hold, dataHoldMost)
	}
	h.until = now + h.hold
	p.work(s, now)
}

// answered takes the answer to a poll that may be one of the doubt's.
func (d *doubt) answered(is bool, now int64) {
	if is && d.finals < d.polls {
		d.finals++
	}
	if d.finals == pollsEach && d.proved == 0 {
		d.proved = now
	}
}

// leastFinal is how long the answer to a poll may take at least: the processor may be
// with somebody else.
const leastFinal = second / 2

// doubted asks BFD about a doubt, and says whether it is confirmed: the answers of
// sessions that came before that of the poll would have been seen.
func (p *Path) doubted(s *Set, asked, seen, now int64) bool {
	d := &p.health.doubt
	switch {
	case d.asked != asked: // a new one
		*d = doubt{asked: asked, counter: p.out.counter + 1}
	case d.proved != 0:
		return seen > d.proved
	case d.finals < d.polls:
		if now-d.last > max(p.Patience(), leastFinal) {
			p.health.excused = now // the line loses packets, whatever they are
		}
		return false
	}
	d.polls, d.last = d.polls+1, now
	if to, ok := p.ends.Best(); ok && p.usable(to) {
		pkt := p.m.Packet()
		pkt.Poll, pkt.Final = true, false
		p.sendSteady(s, &pkt, to, now)
	}
	return false
}

// diagnose finds out how the path is and tells sessions and peer of a change.
func (p *Path) diagnose(now int64) {
	h := &p.health
	if h.until != 0 && now >= h.until {
		h.until, h.healed = 0, now
	}
	is := Healthy
	switch {
	case p.mtu.Dead():
		is = SickMTU
	case h.until != 0:
		is = SickData
	case h.peerSays:
		is = SickPeer
	}
	was := h.sick
	if is == was {
		return
	}
	h.sick, h.since = is, now
	switch {
	case was == Healthy:
		p.hold.down(now)
	case is == Healthy && p.was == upState:
		p.hold.up(now)
	}
	p.m.Tell(now)
}

// flags of the steady form.
func (p *Path) flags(s *Set, now int64) (f uint16) {
	if p.health.sick == SickMTU || p.health.sick == SickData {
		f |= wire.FlagNoData
	}
	if s.cfg.Out.Behind(p, now) {
		f |= wire.FlagShedding
	}
	return f
}

// flagged takes what the newest frame of the steady form says beside BFD.
func (p *Path) flagged(s *Set, st *wire.Steady, now int64) {
	h := &p.health
	h.peerSays = st.Flags&wire.FlagNoData != 0
	if st.Flags&wire.FlagShedding == 0 {
		h.doubt.answered(s.frame.BFD.Final && uint64(st.Echo) >= h.doubt.counter, now)
		return
	}
	h.excused = now
	s.cfg.Out.Shedding(p, now)
}
