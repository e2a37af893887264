package peer

import (
	"net/netip"

	"waymark/svr/path/bfd"
	"waymark/svr/path/endpoint"
	"waymark/svr/policy"
	"waymark/svr/wire"
)

// PathConfig is what the configuration says about one path.
type PathConfig struct {
	ID, If        uint16
	Interface     string // own network-interface
	Peer          string // router name
	PeerInterface string // the peer's network-interface, empty if not known
	Send          *Keys
	BFD           bfd.Config
	DSCP          uint8
	Hold          HoldConfig
	Test          TestConfig
	Remote        netip.Addr // peer's waypoint; zero: learned from its packets
	Epoch         wire.Epoch // random, new at each start, one per path
}

// Path is one peer path.
type Path struct {
	cfg   PathConfig
	m     *bfd.Machine
	in    belief
	out   outgoing
	hold  hold
	ends  *endpoint.Table
	alarm alarmClock
	local netip.Addr // own waypoint, zero while unusable
	names names

	was       wire.BFDState // state of m that hold knows
	restarted bool          // m went down because the peer restarted
	told      Verdict       // as Output was told
	toldTo    netip.AddrPort

	rtt                rtt
	quality            quality
	natAddr            netip.AddrPort // where the peer sees us
	natChanges         uint32
	theirUnix, ourWall int64
	wallAt             int64 // ms since 1970 minus the clock's ms
	clocks             clockOffset
	downs, ups         uint32
}

type names struct{ router, node, path, software []byte }

func newPath(cfg PathConfig, now int64) *Path {
	var static []netip.AddrPort
	if cfg.Remote.IsValid() {
		static = append(static, netip.AddrPortFrom(cfg.Remote, wire.BFDPort))
	}
	p := &Path{cfg: cfg, m: bfd.New(cfg.BFD, now), hold: newHold(cfg.Hold, now), was: wire.BFDDown}
	p.out.epoch = cfg.Epoch
	p.ends = endpoint.New(static, p.period(), now)
	return p
}

// period is the time between packets that we hear on the path.
func (p *Path) period() int64 {
	return max(int64(p.cfg.BFD.RequiredRx), int64(p.cfg.BFD.DesiredTx)) * 1000
}

// SetLocal tells the own waypoint of a path, the zero address while there is
// none, and the wall clock in ms since 1970.
func (s *Set) SetLocal(id uint16, local netip.Addr, wall, now int64) {
	p := s.Path(id)
	if p == nil {
		return
	}
	p.wallAt = wall - now/1e6
	if local == p.local {
		return
	}
	p.local = local
	p.names = names{[]byte(s.cfg.Router), []byte(s.cfg.Node),
		[]byte(policy.PathName(p.cfg.Interface, local, p.cfg.Remote)), []byte(s.cfg.Software)}
	p.out.full = fullRepeats
	if local.IsValid() {
		p.m.Tell(now)
	}
	p.work(s, now)
}

// usable says whether we can send there.
func (p *Path) usable(to netip.AddrPort) bool {
	return p.local.IsValid() && p.local.Is4() == to.Addr().Is4()
}

func (p *Path) wall(now int64) int64 { return p.wallAt + now/1e6 }

// clock implements item.
func (p *Path) clock() *alarmClock { return &p.alarm }

// wake implements item.
func (p *Path) wake(s *Set, now int64) { p.work(s, now) }

// work does what is due on a path, and what the last packet made due.
func (p *Path) work(s *Set, now int64) {
	p.settle(s, now) // a change by a packet counts before what time changes
	for pkt, ok := p.m.Due(now); ok; pkt, ok = p.m.Due(now) {
		p.settle(s, now)
		p.transmit(s, &pkt, now)
	}
	p.settle(s, now)
	p.hold.advance(now, func() bool { return s.cfg.Out.Talking(p, now-p.talkTime()) })
	p.probe(s, now)
	p.testing(s, now)
	if best, _ := p.ends.Best(); p.told != p.hold.verdict || p.toldTo != best {
		p.told, p.toldTo = p.hold.verdict, best
		s.cfg.Out.Changed(p)
	}
	s.queue.set(p, max(p.due(now), now+1))
}

// talkTime is how old session packets may be to show that a peer whose BFD is
// silent lives: one interval, since those from before a cut are no older than
// the silence.
func (p *Path) talkTime() int64 { return min(max(p.period(), second/10), second) }

// due is when the path has work again.
func (p *Path) due(now int64) int64 {
	next := min(p.m.Next(), p.hold.next(now))
	if !p.local.IsValid() {
		return next
	}
	if p.cfg.Test.Length > 0 && p.ready() {
		next = min(next, max(p.quality.next, now+1))
	}
	return min(next, p.ends.NextProbe(now))
}

// settle tells the verdict what became of the machine.
func (p *Path) settle(s *Set, now int64) {
	state := p.m.State()
	if state == p.was {
		return
	}
	was := p.was
	p.was = state
	p.out.full = fullRepeats
	switch {
	case state == wire.BFDUp:
		p.ups++
		p.restarted = false
		p.hold.up(now)
	case was == wire.BFDUp || p.hold.verdict == Restarting:
		p.lost(s, was, now)
	}
}

// lost: BFD is not up any more, or not yet again.
func (p *Path) lost(s *Set, was wire.BFDState, now int64) {
	local, _ := p.m.Diag()
	if was == wire.BFDUp {
		p.downs++
	}
	switch {
	case p.restarted:
		p.hold.restart(false, now)
	case p.hold.verdict == Restarting: // its time runs
	case local == bfd.DiagTime && s.cfg.Out.Talking(p, now-p.talkTime()):
		p.hold.restart(true, now)
	default:
		p.hold.down(now)
	}
}

// probe looks at the other endpoints of the path.
func (p *Path) probe(s *Set, now int64) {
	if !p.local.IsValid() {
		return
	}
	p.ends.Advance(now)
	if p.m.State() != wire.BFDUp || !p.in.known {
		return
	}
	if to, ok := p.ends.Probe(now); ok && p.usable(to) {
		pkt := p.m.Packet()
		pkt.Poll, pkt.Final = true, false
		p.sendSteady(s, &pkt, to, now)
		p.ends.Round(now)
	}
}
