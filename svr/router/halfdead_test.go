package router_test

import (
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/world"
	"waymark/scripts/soak"
	"waymark/svr/router"
)

// BFD passes and what sessions send does not, in one direction or both: the path
// counts as down at both ends, and the sessions move. When it is over they come
// back.
func TestSoakHalfDead(t *testing.T) {
	const hub, branch = `iifname "branch" meta l4proto { tcp, udp } th dport != 1280 drop`,
		`oifname "branch" meta l4proto { tcp, udp } th dport != 1280 drop`
	for name, rules := range map[string]string{"to the hub": hub, "to the branch": branch, "both ways": hub + "; " + branch} {
		if !whole && name != "to the branch" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			soak.Within(t, "longest silence", mostSilent, func() time.Duration {
				h := newHoled(t, router.LanesBPF, 4, 200, 20*time.Millisecond)
				h.beat()
				settled(t, h)
				nft(t, h.w, world.ISPFiber, "table inet cut { chain f { type filter hook forward priority 0; policy accept; "+rules+"; }; }")
				h.leaves("100.64.0.10")
				until(t, h.branch, "the evidence", func(rows []row) bool {
					p := only(rows, "network-interface", "fiber")
					return len(p) == 1 && p[0]["status"] == "down" && (p[0]["reason"] == "no-data" || p[0]["reason"] == "peer-no-data")
				}, "peers")
				until(t, h.branch, "BFD up", func(rows []row) bool {
					b := only(rows, "network-interface", "fiber")
					return len(b) == 1 && b[0]["state"] == "up"
				}, "bfd")
				h.beat()
				nft(t, h.w, world.ISPFiber, "delete table inet cut")
				h.leaves("203.0.113.2")
				h.beat()
				return h.end()
			})
		})
	}
}

// settled waits until the peer has been up for long enough that what it does not
// answer counts.
func settled(t *testing.T, h *holed) {
	t.Helper()
	until(t, h.branch, "a path up for 6 s", func(rows []row) bool {
		p := only(rows, "network-interface", "fiber")
		up, ok := p[0]["uptime"].(float64)
		return ok && up >= 6
	}, "peers", "detail")
}

// A thousand connections move when their path dies, each once, none breaks, none
// is back before the hold-down time is over, and then all are.
func TestCrowdMoves(t *testing.T) {
	// Hosts that sent while nothing passed wait longer and longer.
	soak.Within(t, "longest silence", mostMoving, func() time.Duration { return crowdMoves(t) })
}

const mostMoving = 6 * time.Second

// crowdMoves returns the longest silence, more than mostMoving if the machine stood
// still for so long that BFD lost a path that nobody cut: that is no round.
func crowdMoves(t *testing.T) time.Duration {
	t.Helper()
	const crowd = 1000
	h := newHoled(t, router.LanesBPF, crowd, 64, time.Second)
	steered := func() float64 { t.Helper(); return stats(t, h.branch)["sessions/steered"] }
	wrong := func(what string, n, want float64) time.Duration {
		t.Helper()
		if !h.unsteady() {
			t.Fatalf("%s: %v moves, want %v", what, n, want)
		}
		return mostMoving + 1
	}
	sessions := len(only(only(show(t, h.branch, "sessions"), "dir", "fwd"), "service", "datacenter"))
	if sessions != crowd {
		t.Fatalf("%d sessions, want %d", sessions, crowd)
	}
	h.fault(emulate.Faults{In: emulate.Fault{Dead: true}, Out: emulate.Fault{Dead: true}})
	begin := time.Now()
	h.leaves("100.64.0.10")
	t.Logf("all moved after %v", time.Since(begin).Round(time.Millisecond))
	if n := steered(); n != crowd {
		return wrong("away", n, crowd)
	}
	h.fault(emulate.Faults{})
	n, early := 0.0, false
	err := world.Until(patience, "hold-down", func() (bool, error) { // moves first: they may follow on what is shown
		n = steered()
		p := only(show(t, h.branch, "bfd"), "network-interface", "fiber")
		held := len(p) == 1 && (p[0]["status"] == "hold-down" || p[0]["status"] == "up")
		early = !held && n != crowd
		return held || early, nil
	})
	must(t, err)
	if early {
		return wrong("before BFD was up again", n, crowd)
	}
	for { // as long as it is held down nobody moves
		n, p := steered(), only(show(t, h.branch, "bfd"), "network-interface", "fiber")
		if p[0]["status"] != "hold-down" {
			break
		}
		if n != crowd {
			return wrong("during hold-down", n, crowd)
		}
	}
	h.leaves("203.0.113.2")
	if n := steered(); n != 2*crowd {
		return wrong("in all", n, 2*crowd)
	}
	return h.end()
}

// unsteady tells whether BFD lost a path, at either end, besides the fiber that was
// cut once.
func (h *holed) unsteady() bool {
	h.t.Helper()
	for _, r := range []*world.Router{h.branch, h.hub} {
		n := 0.0
		for _, b := range show(h.t, r, "bfd") {
			n += b["link-down"].(float64)
		}
		if n > 1 {
			h.t.Logf("%v paths went down, one of them was cut", n)
			return true
		}
	}
	return false
}
