package peer_test

import (
	"testing"

	"waymark/svr/path/mtu"
	"waymark/svr/path/peer"
)

// testsMTU switches path-mtu-discovery on.
func testsMTU(n *network) {
	n.tune = func(c *peer.PathConfig) { c.MTU = mtu.Config{Interval: 600 * sec} }
}

func (n *network) mtus(t *testing.T, branch, hub int) {
	t.Helper()
	if b, h := n.branch.path.MTU(), n.hub.path.MTU(); b != branch || h != hub {
		t.Errorf("path MTU: branch %d, hub %d, want %d and %d", b, h, branch, hub)
	}
}

// Each side finds what passes in its own direction.
func TestPathMTU(t *testing.T) {
	n := newNetwork(t, testsMTU, func(n *network) { n.fits = [2]int{1400, 1492} }).up()
	n.mtus(t, 1400, 1492)
	n.fits = [2]int{}
	n.run(610 * sec)
	n.mtus(t, 1500, 1500)
}

// Without tests nobody probes until traffic shows that something is wrong.
func TestNobodyProbesUnasked(t *testing.T) {
	n := newNetwork(t, func(n *network) { n.fits = [2]int{1400, 1400} }).up()
	n.run(3600 * sec)
	for _, p := range append(n.branch.sent, n.hub.sent...) {
		if len(p.data) > 1000 {
			t.Fatalf("a packet of %d bytes", len(p.data))
		}
	}
	n.mtus(t, 0, 0)
	n.branch.set.Suspect(0, n.now)
	n.run(200 * ms)
	n.mtus(t, 1400, 0)
	n.branch.is(peer.Up)
	n.hub.set.TooBig(0, 1400, n.now)
	n.run(sec)
	n.mtus(t, 1400, 1400)
}

// A path that does not take 1,280 bytes in one direction counts as down at both
// ends, since the one that can move a session may be the other. It is up again
// when that is over, and its hold-down too.
func TestBelow1280IsDead(t *testing.T) {
	for way, name := range []string{"branch to hub", "hub to branch"} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t).up()
			n.fits[way] = 1279
			finder, other := n.branch, n.hub
			if way == 1 {
				finder, other = n.hub, n.branch
			}
			finder.set.Suspect(0, n.now)
			n.run(sec)
			finder.is(peer.Down)
			other.is(peer.Down)
			if a, b := finder.path.Sick(), other.path.Sick(); a != peer.SickMTU || b != peer.SickPeer {
				t.Errorf("evidence: %v and %v", a, b)
			}
			n.run(20 * sec)
			finder.is(peer.Down)
			other.is(peer.Down)
			n.fits[way] = 0
			n.run(70 * sec)
			finder.is(peer.Up)
			other.is(peer.Up)
			if finder.path.MTU() != 1500 {
				t.Errorf("path MTU %d afterwards", finder.path.MTU())
			}
		})
	}
}

// Sessions that have no answers take the path down for a time that doubles when
// it was too short.
func TestNoData(t *testing.T) {
	n := newNetwork(t).up()
	n.run(5 * sec)
	last := int64(0)
	for range 4 {
		n.noData(n.branch)
		n.run(100 * ms)
		n.branch.is(peer.Down)
		n.hub.is(peer.Down)
		began := n.now
		for v, _ := n.branch.path.Verdict(); v != peer.Up; v, _ = n.branch.path.Verdict() {
			n.run(sec)
		}
		n.run(sec)
		n.hub.is(peer.Up)
		if d := n.now - began; d < 2*last*8/10 {
			t.Errorf("down for %d s after %d s", d/sec, last/sec)
		} else {
			last = d - 6*sec // hold-down, and the last step
		}
	}
	n.run(3600 * sec)
	began := n.now
	n.noData(n.branch)
	n.run(17 * sec)
	n.branch.is(peer.Up)
	if n.now-began > 20*sec {
		t.Error("an hour of health does not pay")
	}
}

// What the peer says is void when it starts again.
func TestRestartHeals(t *testing.T) {
	n := newNetwork(t).up()
	n.run(5 * sec)
	n.noData(n.hub)
	n.run(sec)
	n.branch.is(peer.Down)
	n.start(n.hub)
	n.run(10 * sec)
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
}

// A peer that starts again takes no path MTU with it.
func TestRestartKeepsMTU(t *testing.T) {
	n := newNetwork(t, testsMTU, func(n *network) { n.fits = [2]int{1400, 1400} }).up()
	n.start(n.hub)
	for range 50 {
		n.run(100 * ms)
		if n.branch.path.MTU() != 1400 {
			t.Fatalf("path MTU %d", n.branch.path.MTU())
		}
	}
	n.mtus(t, 1400, 1400)
}

// noData tells a side that health checks have no answers, until BFD is heard.
func (n *network) noData(s *side) {
	for asked, last := n.now, n.now+2*sec; n.now < last; n.run(100 * ms) {
		s.set.NoData(0, asked, n.now, n.now)
	}
}

// Health checks without an answer count once BFD had one later, and soon; those that
// are answered after all, do not.
func TestNoDataIsAskedBack(t *testing.T) {
	n := newNetwork(t).up()
	n.run(10 * sec)
	n.branch.forgetVerdicts()
	for range 50 { // told once each: at the next look the answer was there
		n.branch.set.NoData(0, n.now, n.now, n.now)
		n.run(200 * ms)
	}
	if len(n.branch.verdicts) > 0 {
		t.Errorf("told %v", n.branch.verdicts)
	}
	for asked, i := n.now, 0; i < 3; i++ {
		n.branch.set.NoData(0, asked, n.now, n.now)
		n.run(100 * ms)
	}
	n.branch.is(peer.Down)
}

// While a peer is silent, and just after it came back, health checks without
// answers say nothing about the path.
func TestNoDataOfASilentPeer(t *testing.T) {
	n := newNetwork(t).up()
	n.run(5 * sec)
	n.hub.mute = true
	n.branch.talking = true
	n.branch.forgetVerdicts()
	asked := n.now
	for range 20 {
		n.run(100 * ms)
		n.branch.set.NoData(0, asked, n.now, n.now)
	}
	n.hub.mute = false
	n.start(n.hub)
	for range 40 {
		n.run(100 * ms)
		n.branch.set.NoData(0, asked, n.now, n.now)
	}
	for _, v := range n.branch.verdicts {
		if v == peer.Down {
			t.Fatalf("told %v", n.branch.verdicts)
		}
	}
	n.branch.is(peer.Up)
}

// A router that loses what arrives, or the peer that does, is no path that carries no
// data; the path is found out as soon as that is over.
func TestNoDataOfTheOverloaded(t *testing.T) {
	for _, c := range []struct {
		name string
		is   func(n *network, over bool)
		seen func(n *network, asked int64) int64
	}{
		{"the peer sheds load", func(n *network, over bool) { n.hub.behind = over }, nil},
		{"sessions hear something", func(n *network, over bool) { n.branch.talking = over }, nil},
		{"what arrived was not looked at yet", nil, func(_ *network, asked int64) int64 { return asked + 50*ms }},
		{"told late of old looks", nil, func(n *network, asked int64) int64 { return min(n.now, asked+100*ms) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t).up()
			n.run(10 * sec)
			if c.is != nil {
				c.is(n, true)
			}
			for range 10 {
				for asked, i := n.now, 0; i < 20; i++ {
					seen := n.now
					if c.seen != nil {
						seen = c.seen(n, asked)
					}
					n.branch.set.NoData(0, asked, seen, n.now)
					n.run(100 * ms)
					n.branch.is(peer.Up)
				}
			}
			if c.is != nil {
				c.is(n, false)
			}
			asked := n.now + 1
			for range 4 {
				n.run(100 * ms)
				n.branch.set.NoData(0, asked, n.now, n.now)
			}
			n.branch.is(peer.Down)
		})
	}
}

// Who is overloaded says so in all that it says, and the word gets to the sessions.
func TestSheddingIsTold(t *testing.T) {
	n := newNetwork(t).up()
	n.run(10 * sec)
	if n.branch.shed > 0 {
		t.Fatal("told without reason")
	}
	n.hub.behind = true
	n.run(2 * sec)
	told := n.branch.shed
	if told == 0 {
		t.Error("not told")
	}
	n.hub.behind = false
	n.run(100 * ms)
	told = n.branch.shed
	if n.run(10 * sec); n.branch.shed > told+1 {
		t.Errorf("told %d times more", n.branch.shed-told)
	}
	if n.hub.shed > 0 {
		t.Error("told of the other one")
	}
}
