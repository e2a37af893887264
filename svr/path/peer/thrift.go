package peer

import (
	"net/netip"
	"time"

	"waymark/svr/path/ambient"
	"waymark/svr/path/demand"
	"waymark/svr/path/natlife"
	"waymark/svr/wire"
)

// The profile of metered links. BFD is in demand mode at both ends: the metered
// one asks for it, the other one follows. Nothing periodic is sent; package
// demand tells when silence is worth a question, package natlife how often the
// NAT must be refreshed.

const (
	// idlePeriods times the configured interval is the longest time without an
	// authentic packet before the metered end asks, within idleLeast and
	// idleMost. The other end is more patient, so that it need not ask.
	idlePeriods = 300
	idleLeast   = 30 * second
	idleMost    = 600 * second
	patience    = 22 // tenths

	// doubtTime is how long the best endpoint has to show that it still is the
	// best, after the peer was found elsewhere.
	doubtTime = 23 * second / 10

	// A path that stays down is tried less and less often.
	slowAfter = 8 // the interval is this part of its age
	slowMost  = 60 * second
)

// thrift is what a path needs for the profile.
type thrift struct {
	active  bool
	watch   demand.Watch
	used    int64 // when something left for the best endpoint last
	doubt   int64 // end of doubt about the best endpoint, 0: none
	down    int64 // when the path was lost, or had a chance again
	replies [maxReplies]reply
	forgot  int64      // last poll for Forgotten
	leads   bool       // works for the learner of its interface
	local   netip.Addr // own address when natAddr was learned
	counts  [channels]*ambient.Counter
	as      channel // what leaves now counts as
}

// channel is a column of the ledger.
type channel uint8

const (
	asBFD channel = iota
	asKeepAlive
	asProbe
	asTest
	channels
)

var channelNames = [channels]string{ambient.BFD, ambient.KeepAlive, ambient.NATProbe, ambient.LinkTest}

func (p *Path) openLedger(l *ambient.Ledger) {
	for i, name := range channelNames {
		p.thrift.counts[i] = l.Counter(ambient.Key{Interface: p.cfg.Interface, Subject: p.cfg.Peer, Channel: name})
	}
}

// idle is the longest time without an authentic packet.
func (p *Path) idle() int64 {
	n := min(max(int64(p.cfg.BFD.DesiredTx)*1000*idlePeriods, idleLeast), idleMost)
	if !p.cfg.Metered {
		n = n / 10 * patience
	}
	return n
}

// follow takes the profile up, or leaves it, as the peer's demand bit says.
func (p *Path) follow(now int64) {
	t := &p.thrift
	up := p.m.State() == wire.BFDUp
	if on := up && (p.cfg.Metered || p.m.RemoteDemand()); on != t.active {
		t.active = on
		p.m.SetDemand(on || p.cfg.Metered, now)
		p.ends.SetPeriod(p.pace())
	}
	switch {
	case !t.active:
		t.watch.End()
	case !t.watch.On():
		t.watch.Begin(p.idle(), now)
		if p.cfg.Metered {
			t.watch.Eager()
		}
	}
	if up || t.down == 0 {
		t.down = now
	}
	p.m.SetSlow(p.slow(now))
}

// pace is the time between packets of the peer as endpoints are judged by.
func (p *Path) pace() int64 {
	if p.thrift.active && p.thrift.doubt == 0 {
		return p.idle()
	}
	return p.period()
}

// slow is the least time between packets while a path is down, in µs.
func (p *Path) slow(now int64) uint32 {
	if !p.cfg.Metered {
		return 0
	}
	return uint32(min(max((now-p.thrift.down)/slowAfter, second), slowMost) / 1000)
}

func (p *Path) trip() demand.RTT {
	return demand.RTT{Smooth: p.rtt.smooth, Variance: p.rtt.variance}
}

// Traffic tells when the newest session packets left by a path and came over it,
// 0 for none. Paths without the profile ignore it.
func (s *Set) Traffic(id uint16, sent, heard, now int64) {
	p := s.Path(id)
	if p == nil || !p.thrift.watch.On() {
		return
	}
	p.thrift.watch.Traffic(sent, heard, now)
	p.work(s, now)
}

// forgottenEvery is the least time between two polls that Forgotten sends.
const forgottenEvery = second

// Forgotten tells that the peer met a session of ours that it knows elsewhere, or
// not at all. A NAT that forgot that flow has forgotten BFD's, too: it is asked at
// once, so that the peer learns where we are now.
func (s *Set) Forgotten(id uint16, now int64) {
	p := s.Path(id)
	if p == nil || !p.cfg.Metered || !p.thrift.watch.On() || p.thrift.forgot != 0 && now-p.thrift.forgot < forgottenEvery {
		return
	}
	to, ok := p.ends.Best()
	if !ok || !p.usable(to) {
		return
	}
	p.thrift.forgot = now
	pkt := p.m.Packet()
	pkt.Poll, pkt.Final = true, false
	p.sendSteady(s, &pkt, to, now)
	p.work(s, now)
}

// Thrifty says whether a path wants to be told of Traffic.
func (p *Path) Thrifty() bool { return p.thrift.watch.On() }

// economize does what is due of the profile.
func (p *Path) economize(s *Set, now int64) {
	p.follow(now)
	p.inquire(s, now)
	p.reply(s, now)
	p.learn(s, now)
	p.refresh(s, now)
	if t := &p.thrift; t.doubt != 0 && now >= t.doubt {
		t.doubt = 0
		p.ends.SetPeriod(p.pace())
	}
}

// inquire asks when silence is worth it, and draws the conclusion.
func (p *Path) inquire(s *Set, now int64) {
	w := &p.thrift.watch
	before := w.Verdict()
	poll, full := w.Advance(now, p.trip())
	if to, ok := p.ends.Best(); poll && ok && p.usable(to) {
		pkt := p.m.Packet()
		pkt.Poll = true
		if full {
			p.sendFull(s, &pkt, to, nil, now)
		} else {
			p.sendSteady(s, &pkt, to, now)
		}
	}
	switch v := w.Verdict(); {
	case v == before:
	case v == demand.Dead && s.cfg.Out.Talking(p, now-p.talkTime()): // only its router is away
		p.hold.restart(true, now)
	case v == demand.Dead:
		p.hold.down(now)
	case v == demand.Gone:
		p.m.Fail(now)
		p.settle(s, now)
		p.follow(now)
	}
}

// authentic: a packet of the peer is believed, whatever it says.
func (p *Path) authentic(now int64) {
	if p.thrift.watch.Authentic(now) {
		p.hold.revive(now)
	}
}

// refresh keeps the binding of a NAT between us and the peer.
func (p *Path) refresh(s *Set, now int64) {
	if now < p.refreshAt() {
		return
	}
	to, _ := p.ends.Best()
	p.thrift.used = now
	p.thrift.as = asKeepAlive
	p.count(1, to)
	p.thrift.as = asBFD
	s.sending = Sending{If: p.cfg.If, Local: p.local, Port: wire.BFDPort, To: to, Hops: 64, DSCP: p.cfg.DSCP, Data: zero[:]}
	s.cfg.Out.Transmit(&s.sending)
}

var zero [1]byte

// refreshAt is when the binding needs it, never while nothing can be sent.
func (p *Path) refreshAt() int64 {
	to, ok := p.ends.Best()
	if p.cfg.NAT == nil || !p.thrift.active || !ok || !p.usable(to) {
		return never
	}
	return p.thrift.used + p.cfg.NAT.Interval()
}

// count counts what leaves.
func (p *Path) count(payload int, to netip.AddrPort) {
	n := uint64(payload) + ipBytes(to)
	p.out.packets++
	p.out.bytes += n
	p.thrift.counts[p.thrift.as].Add(int(n))
}

// elsewhere: the peer answered from an endpoint that is not the best one. On a
// path where silence is normal the best one must show at once that it lives.
func (p *Path) elsewhere(s *Set, from netip.AddrPort, now int64) {
	best, ok := p.ends.Best()
	if !p.thrift.active || !ok || best == from || p.thrift.doubt != 0 {
		return
	}
	p.thrift.doubt = now + doubtTime
	p.ends.SetPeriod(p.pace())
	if p.usable(best) {
		pkt := p.m.Packet()
		pkt.Poll = true
		p.sendSteady(s, &pkt, best, now)
	}
}

// thriftDue is when economize has work again.
func (p *Path) thriftDue() int64 {
	t := &p.thrift
	next := min(t.watch.Next(p.trip()), p.refreshAt(), p.replyAt())
	if t.doubt != 0 {
		next = min(next, t.doubt)
	}
	if t.leads {
		next = min(next, p.cfg.NAT.Next())
	}
	return next
}

// Plan returns what the path costs while it idles; false: it is not on the
// profile of metered links.
func (p *Path) Plan() (ambient.Thrift, bool) {
	plan := ambient.Thrift{Idle: float64(p.idle()) / 1e9, V6: p.local.Is6()}
	if p.cfg.NAT != nil {
		plan.KeepAlive = float64(p.cfg.NAT.Interval()) / 1e9
	}
	if p.cfg.Test.Length > 0 && !p.cfg.Test.OnDemand {
		plan.TestLen, plan.TestEvery = p.cfg.Test.Length, float64(p.cfg.Test.Interval)/1e9
	}
	return plan, p.cfg.Metered
}

// Intervals returns the time between our packets and that between the peer's,
// before jitter.
func (p *Path) Intervals() (send, receive time.Duration) {
	tx, _ := p.m.Intervals()
	return time.Duration(tx), time.Duration(p.m.RemoteInterval())
}

// Unit of the wait that a question names; see natlife.
const waitUnit = natlife.Unit
