package peer_test

import (
	"testing"

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

// Length 0 is off: nothing but BFD itself leaves.
func TestNoLinkTests(t *testing.T) {
	n := newNetwork(t).up()
	n.branch.sent = nil
	n.run(60 * sec)
	if _, _, _, ok := n.branch.path.Quality(); ok || len(n.branch.sent) > 81 {
		t.Errorf("%d packets in a minute, measured %v", len(n.branch.sent), ok)
	}
}
