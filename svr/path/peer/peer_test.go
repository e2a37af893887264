package peer_test

import (
	"net/netip"
	"slices"
	"testing"

	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

// Whoever starts last brings the path up within five one-way delays.
func TestHandshakeIsFast(t *testing.T) {
	n := newNetwork(t)
	n.run(5*n.delay + ms)
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
	late := newNetwork(t, func(n *network) { n.cut = [2]bool{true, true} })
	late.run(10300 * ms)
	late.cut = [2]bool{}
	late.start(late.branch)
	late.run(5*n.delay + ms)
	late.branch.is(peer.Up)
	late.hub.is(peer.Up)
}

// Full until both know each other, steady then: 96 bytes of IP.
func TestForms(t *testing.T) {
	n := newNetwork(t).up()
	if got := formOf(t, n.branch.sent[0].data); got != wire.FormFull {
		t.Errorf("first packet: %v", got)
	}
	for _, s := range []*side{n.branch, n.hub} {
		s.sent = nil
		n.run(60 * sec)
		if len(s.sent) < 60 || len(s.sent) > 81 {
			t.Errorf("%s: %d packets in a minute", s.name, len(s.sent))
		}
		for _, p := range s.sent {
			if formOf(t, p.data) != wire.FormSteady || len(p.data)+28 != 96 {
				t.Fatalf("%s: %v of %d bytes", s.name, formOf(t, p.data), len(p.data)+28)
			}
		}
	}
	n.branch.sent = nil
	n.run(25 * 3600 * sec)
	full := 0
	for _, p := range n.branch.sent {
		if formOf(t, p.data) == wire.FormFull {
			full++
		}
	}
	if full != 1 {
		t.Errorf("%d full packets in 25 hours, want 1", full)
	}
}

// A killed router that starts again takes no path down, at either end.
func TestRestartIsNotDown(t *testing.T) {
	for _, row := range []struct {
		name    string
		pick    func(*network) *side
		away    int64 // until it starts again
		talking bool
		want    []peer.Verdict // of the one that stays
	}{
		{"branch at once", func(n *network) *side { return n.branch }, 50 * ms, false, []peer.Verdict{peer.Restarting, peer.Up}},
		{"hub at once", func(n *network) *side { return n.hub }, 50 * ms, false, []peer.Verdict{peer.Restarting, peer.Up}},
		{"within the detection time", func(n *network) *side { return n.hub }, 2 * sec, false, []peer.Verdict{peer.Restarting, peer.Up}},
		{"later, sessions live", func(n *network) *side { return n.hub }, 5 * sec, true, []peer.Verdict{peer.Restarting, peer.Up}},
		{"later, all silent", func(n *network) *side { return n.hub }, 5 * sec, false, []peer.Verdict{peer.Down, peer.HeldDown}},
		{"too late, sessions live", func(n *network) *side { return n.hub }, 7 * sec, true, []peer.Verdict{peer.Restarting, peer.Down, peer.HeldDown}},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := newNetwork(t).up()
			killed := row.pick(n)
			stays := n.branch
			if killed == n.branch {
				stays = n.hub
			}
			stays.forgetVerdicts()
			stays.talking = row.talking
			n.cut = [2]bool{true, true}
			n.run(row.away)
			n.cut = [2]bool{}
			n.start(killed)
			killed.forgetVerdicts()
			n.run(1 * sec)
			killed.is(peer.Up)
			if !slices.Equal(stays.verdicts, row.want) {
				t.Errorf("told %v, want %v", stays.verdicts, row.want)
			}
		})
	}
}

func TestRestartEndsWithTheSessions(t *testing.T) {
	n := newNetwork(t).up()
	n.branch.talking = true
	n.cut = [2]bool{true, true}
	n.run(3200 * ms)
	n.branch.is(peer.Restarting)
	n.branch.talking = false
	n.run(300 * ms)
	n.branch.is(peer.Down)
}

// Silence in one direction takes both ends down.
func TestOneWayDeath(t *testing.T) {
	for way := range 2 {
		n := newNetwork(t).up()
		n.cut[way] = true
		n.run(3100 * ms)
		n.branch.is(peer.Down)
		n.hub.is(peer.Down)
	}
}

// Back again, the path is held down for 5 s; damping doubles that per flap.
func TestHoldDown(t *testing.T) {
	flap := func(n *network) (held int64) {
		n.cut = [2]bool{true, true}
		n.run(4 * sec)
		n.branch.is(peer.Down)
		n.cut = [2]bool{}
		n.run(1200 * ms)
		n.branch.is(peer.HeldDown)
		from := n.now
		for n.now < from+10_000*sec {
			n.run(100 * ms)
			if v, _ := n.branch.path.Verdict(); v == peer.Up {
				return n.now - from + 1200*ms
			}
		}
		t.Fatal("held down for ever")
		return 0
	}
	about := func(got, want int64) bool { return got >= want-1300*ms && got <= want+1300*ms }
	n := newNetwork(t).up()
	for range 3 {
		if got := flap(n); !about(got, 5*sec) {
			t.Errorf("held down for %d ms, want 5000", got/ms)
		}
	}
	damped := newNetwork(t, func(n *network) {
		n.tune = func(c *peer.PathConfig) { c.Hold = peer.HoldConfig{Down: 5 * sec, Max: 20 * sec, Damping: true} }
	}).up()
	for i, want := range []int64{5, 10, 20, 20, 20, 5, 10} { // the longest three times in a row: anew
		if got := flap(damped); !about(got, want*sec) {
			t.Errorf("flap %d: held down for %d ms, want %d s", i, got/ms, want)
		}
	}
	damped.run(1000 * sec)
	if got := flap(damped); !about(got, 5*sec) {
		t.Errorf("after a quiet time: held down for %d ms, want 5000", got/ms)
	}
}

func TestAdminDownIsDownAtOnce(t *testing.T) {
	n := newNetwork(t).up()
	n.branch.path.Machine().SetAdminDown(true, n.now)
	n.branch.set.SetLocal(0, n.branch.addr, 0, n.now)
	n.run(sec)
	n.hub.is(peer.Down)
}

// The hub learns where a branch behind NAT is, follows it to another port, and
// nothing goes down meanwhile.
func TestBranchBehindNAT(t *testing.T) {
	first, second := netip.MustParseAddrPort("198.18.0.2:40001"), netip.MustParseAddrPort("198.18.0.2:52345")
	n := newNetwork(t, func(n *network) { n.learned, n.nat = true, first })
	n.up()
	if got, _ := n.hub.path.Remote(); got != first {
		t.Fatalf("the hub sends to %v, want %v", got, first)
	}
	if got := n.branch.path.Status().NAT; got != first {
		t.Errorf("the branch believes to be seen as %v", got)
	}
	n.hub.forgetVerdicts()
	n.branch.forgetVerdicts()
	n.nat = second
	n.run(10 * sec)
	if got, _ := n.hub.path.Remote(); got != second {
		t.Errorf("the hub sends to %v, want %v", got, second)
	}
	if !n.branch.stayedUp() || !n.hub.stayedUp() { // the address is a change, not the verdict
		t.Errorf("told %v and %v", n.branch.verdicts, n.hub.verdicts)
	}
	n.run(60 * sec)
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
}

// A hub that starts again knows no address of a branch behind NAT: the branch
// speaks up before the path is down.
func TestHubRestartsBeforeNAT(t *testing.T) {
	for _, away := range []int64{50 * ms, 700 * ms, 1500 * ms} {
		n := newNetwork(t, func(n *network) { n.learned, n.nat = true, netip.MustParseAddrPort("198.18.0.2:40001") }).up()
		n.branch.forgetVerdicts()
		n.cut = [2]bool{true, true}
		n.run(away)
		n.cut = [2]bool{}
		n.start(n.hub)
		n.run(3 * sec)
		n.hub.is(peer.Up)
		if want := []peer.Verdict{peer.Restarting, peer.Up}; !slices.Equal(n.branch.verdicts, want) {
			t.Errorf("away for %d ms: told %v, want %v", away/ms, n.branch.verdicts, want)
		}
	}
}

func TestMeasures(t *testing.T) {
	n := newNetwork(t, func(n *network) { n.delay = 25 * ms })
	n.branch.skew, n.hub.skew = 0, 90_000
	n.start(n.hub)
	n.up()
	n.run(20 * sec)
	for _, s := range []*side{n.branch, n.hub} {
		smooth, least := s.path.RTT()
		if smooth < 49*ms || smooth > 52*ms || least < 49*ms || least > 51*ms {
			t.Errorf("%s: round trip %d µs, least %d µs, want 50 ms", s.name, smooth/1000, least/1000)
		}
	}
	if got, ok := n.branch.path.ClockOffset(); !ok || got < 89_970 || got > 90_030 {
		t.Errorf("the hub's clock: %d ms ahead, %v, want 90 s", got, ok)
	}
}

// A router without the key, of another name, or of no configuration gets no
// answer and no path.
func TestStrangers(t *testing.T) {
	stranger := newNetwork(t)
	stranger.branch.name = "branch2"
	stranger.start(stranger.branch)
	stranger.run(10 * sec)
	stranger.hub.is(peer.NoAnswer)
	if stranger.hub.set.Count(peer.DropUnknown) == 0 {
		t.Error("packets of an unknown router were not counted so")
	}
}

// A session request arrives once, with its bytes, and not without a peer that
// is up.
func TestRequest(t *testing.T) {
	n := newNetwork(t)
	if n.hub.set.Request(0, []byte("early"), n.now) {
		t.Error("a request left before the path is up")
	}
	n.up()
	sent := len(n.hub.sent)
	if !n.hub.set.Request(0, []byte("open it"), n.now) {
		t.Fatal("no request left")
	}
	var copied []packet
	for _, p := range n.wire {
		copied = append(copied, packet{to: p.to, from: p.from, data: slices.Clone(p.data)})
	}
	n.run(sec)
	for _, p := range copied { // replayed
		p.to.receive(p)
	}
	if len(n.branch.requests) != 1 || string(n.branch.requests[0]) != "open it" || len(n.hub.requests) != 0 {
		t.Errorf("got %q", n.branch.requests)
	}
	if len(n.hub.sent) < sent+1 || n.branch.last != peer.DropReplay {
		t.Errorf("the copy was %v", n.branch.last)
	}
}

// The peer hears at once that it is seen elsewhere.
func TestNATChangeIsTold(t *testing.T) {
	n := newNetwork(t, func(n *network) {
		n.nat, n.learned = netip.MustParseAddrPort("198.18.0.2:40000"), true
	})
	n.up()
	if got := n.branch.path.NATChanges(); got != 0 {
		t.Fatalf("%d changes before any", got)
	}
	n.branch.forgetVerdicts()
	n.nat = netip.MustParseAddrPort("198.18.0.7:2000")
	n.run(5 * sec)
	if got := n.branch.path.NATChanges(); got != 1 {
		t.Errorf("%d changes told, want 1", got)
	}
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
	if !n.branch.stayedUp() {
		t.Errorf("the branch was told %v meanwhile", n.branch.verdicts)
	}
}
