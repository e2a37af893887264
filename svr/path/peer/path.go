package peer

import (
	"net/netip"

	"waymark/svr/path/bfd"
	"waymark/svr/path/endpoint"
	"waymark/svr/path/mtu"
	"waymark/svr/path/natlife"
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
	MTU           mtu.Config
	Remote        netip.Addr // peer's waypoint; zero: learned from its packets
	Epoch         wire.Epoch // random, new at each start, one per path
	// Metered paths take the profile of metered links by themselves.
	Metered bool
	NAT     *natlife.Learner // of the interface, shared by its paths; nil: nobody keeps bindings
	// Last is where the peer was reached before this process, if nobody but the
	// peer could tell: it is told once that we are back.
	Last netip.AddrPort
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
	toldMTU   int
	toldSeen  uint32 // changes of where the peer sees us

	rtt                rtt
	quality            quality
	mtu                mtuState
	health             health
	fragile            bool           // what leaves now must not be fragmented
	natAddr            netip.AddrPort // where the peer sees us
	natChanges         uint32
	theirUnix, ourWall int64
	wallAt             int64 // ms since 1970 minus the clock's ms
	clocks             clockOffset
	downs, ups         uint32
	thrift             thrift
}

type names struct{ router, node, path, software []byte }

func newPath(cfg PathConfig, now int64) *Path {
	var static []netip.AddrPort
	if cfg.Remote.IsValid() {
		static = append(static, netip.AddrPortFrom(cfg.Remote, wire.BFDPort))
	}
	cfg.BFD.Demand = cfg.BFD.Demand || cfg.Metered
	p := &Path{cfg: cfg, m: bfd.New(cfg.BFD, now), hold: newHold(cfg.Hold, now), was: wire.BFDDown}
	p.out.epoch = cfg.Epoch
	p.mtu.Machine = *mtu.New(cfg.MTU)
	p.ends = endpoint.New(static, p.period(), now)
	if !cfg.Remote.IsValid() && cfg.Last.IsValid() {
		p.ends.Recall(cfg.Last)
	}
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
	p.thrift.down = now // another chance
	if local.IsValid() {
		p.m.Tell(now)
		if p.cfg.Last.IsValid() && p.m.Heard() == 0 {
			p.m.Knock(now)
		}
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
	p.probeMTU(s, now)
	p.diagnose(now)
	p.economize(s, now)
	best, _ := p.ends.Best()
	if best != p.toldTo && p.toldTo.IsValid() && p.mtu.known {
		p.mtu.known = false
		p.beginMTU(now)
	}
	if p.told != p.hold.verdict || p.toldTo != best || p.toldSeen != p.natChanges || p.toldMTU != p.MTU() {
		if p.toldTo != best {
			p.out.full = max(p.out.full, fullRepeats) // the peer hears where we see it
		}
		p.told, p.toldTo, p.toldSeen, p.toldMTU = p.hold.verdict, best, p.natChanges, p.MTU()
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
	next := min(p.m.Next(), p.hold.next(now), p.thriftDue())
	if !p.local.IsValid() {
		return next
	}
	if p.testDue() {
		next = min(next, max(p.quality.next, now+1))
	}
	if p.probing() {
		next = min(next, p.mtu.Next(now))
	}
	if p.health.until != 0 {
		next = min(next, p.health.until)
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
		p.beginMTU(now)
		if p.health.sick == Healthy {
			p.hold.up(now)
		}
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
