package peer_test

import (
	"testing"

	"waymark/svr/path/ambient"
	"waymark/svr/path/peer"
)

// A test finds the loss of either direction, the round trip, and no jitter where
// there is none.
func TestLinkTests(t *testing.T) {
	for _, row := range []struct {
		name     string
		lose     int // one of so many, 0: none
		way      int
		min, max float64
	}{
		{"clean", 0, 0, 0, 0}, {"a tenth lost on the way there", 10, 0, 6, 15}, {"a fifth lost on the way back", 5, 1, 14, 27},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := newNetwork(t, func(n *network) {
				n.delay = 20 * ms
				n.tune = func(c *peer.PathConfig) { c.Test = peer.TestConfig{Length: 50, Interval: 5 * sec} }
			}).up()
			n.lose, n.loseWay = row.lose, row.way
			n.run(400 * sec)
			rtt, jitter, loss, ok := n.branch.path.Quality()
			if !ok || rtt < 39*ms || rtt > 42*ms || jitter > 2*ms {
				t.Errorf("round trip %d µs, jitter %d µs, %v, want 40 ms and next to none", rtt/1000, jitter/1000, ok)
			}
			if loss < row.min || loss > row.max {
				t.Errorf("loss %.2f %%, want %v to %v", loss, row.min, row.max)
			}
			n.branch.is(peer.Up)
		})
	}
}

// What is read late, and dated, makes no round trip longer, at neither end: the peer is
// told for how long its packet lay there, in whole ms.
func TestReadLate(t *testing.T) {
	for _, row := range []struct {
		name    string
		undated bool
		most    int64 // of round trips, beside the way
	}{
		{"dated", false, ms}, {"undated", true, 8 * ms},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := newNetwork(t, func(n *network) {
				n.delay = 10 * ms
				n.tune = func(c *peer.PathConfig) { c.Test = peer.TestConfig{Length: 10, Interval: 5 * sec} }
			})
			n.hub.late, n.hub.undated = 3*ms+700_000, row.undated
			n.up().run(60 * sec)
			for _, s := range []*side{n.branch, n.hub} {
				rtt, jitter, loss, ok := s.path.Quality()
				if !ok || rtt < 20*ms || rtt > 20*ms+row.most || jitter > ms/10 || loss > 0 {
					t.Errorf("%s: round trip %d µs, jitter %d µs, loss %.1f %%, %v, want 20 ms", s.name, rtt/1000, jitter/1000, loss, ok)
				}
				if row.undated != (rtt > 20*ms+ms) {
					t.Errorf("%s: undated %v: round trip %d µs", s.name, row.undated, rtt/1000)
				}
			}
			n.branch.is(peer.Up)
			n.hub.is(peer.Up)
		})
	}
}

// On demand: no test of its own accord, one for each time that somebody asks, but
// for those that ask again too soon; the other end of a metered link tests never.
func TestLinkTestsOnDemand(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		n := newLTE(t, 60*sec, func(n *network) { n.wanted = wanted }).account().up()
		packets := func() uint64 {
			n.t.Helper()
			for _, r := range n.branch.ledger.Rows(ambient.Month) {
				if r.Channel == ambient.LinkTest {
					return r.Events
				}
			}
			return 0
		}
		expect := func(what string, want uint64) {
			t.Helper()
			if got := packets(); got != want {
				t.Errorf("wanted %v, %s: %d packets of link tests, want %d", wanted, what, got, want)
			}
		}
		n.run(2 * 86400 * sec)
		expect("idle", 0)
		n.branch.set.Carried(0, n.now)
		n.run(10 * sec)
		first := uint64(0)
		if wanted {
			first = 20
		}
		expect("after traffic", first)
		n.run(7200 * sec)
		n.branch.set.Measure(0, n.now)
		n.run(10 * sec)
		expect("asked", first+20)
		if rtt, _, loss, ok := n.branch.path.Quality(); !ok || loss != 0 || rtt < 79*ms || rtt > 82*ms {
			t.Errorf("measured %v: %d ms, %.1f %%", ok, rtt/ms, loss)
		}
		for range 30 {
			n.branch.set.Measure(0, n.now)
			n.hub.set.Measure(0, n.now)
			n.run(60 * sec)
		}
		expect("asked again and again within the interval", first+20)
		n.run(3600 * sec)
		expect("an interval later", first+40)
	}
}

// Length 0 is off: nothing but BFD itself leaves.
func TestNoLinkTests(t *testing.T) {
	n := newNetwork(t).up()
	n.branch.sent = nil
	n.run(60 * sec)
	if _, _, _, ok := n.branch.path.Quality(); ok || len(n.branch.sent) > 81 {
		t.Errorf("%d packets in a minute, measured %v", len(n.branch.sent), ok)
	}
}
