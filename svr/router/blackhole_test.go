package router_test

import (
	"os"
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/scripts/soak"
	"waymark/svr/router"
)

// whole says that every row of a table is tried, however long that takes.
var whole = os.Getenv("SOAK") != ""

// quick is BFD at 100 ms x 3 with a short hold-down. Without SOAK it is 300 ms x 3: a
// machine with other work stands still for longer than 300 ms now and then.
var quick = tree{"bfd": tree{"desired-tx-interval": quickEvery(whole), "required-min-rx-interval": quickEvery(whole), "hold-down-time": 1}}

// quickEvery is the interval of quick in ms.
func quickEvery(soak bool) int {
	if soak {
		return 100
	}
	return 300
}

// holed is the example's network with a fault on the fiber line of the branch,
// its routers, and connections that send big packets both ways.
type holed struct {
	t           *testing.T
	w           *world.World
	link        *emulate.Link // In: towards the branch
	branch, hub *world.Router
	talk        *traffic.Conversation
}

func newHoled(t *testing.T, lanes string, count, size int, every time.Duration) *holed {
	t.Helper()
	h := &holed{t: t, w: worldOf(t, lanes, world.Options{})}
	var err error
	if h.link, err = emulate.Switchable(h.w, world.Branch, "wan0", emulate.Impairment{Delay: 5 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	config := acmeWith(t, quick, nil)
	h.hub = start(t, h.w, "hub1", world.Hub, config)
	h.branch = start(t, h.w, "branch1", world.Branch, config)
	peersUp(t, h.branch)
	serve(t, h.w, world.Server, "-echo", "10.20.0.5:7")
	if h.talk, err = traffic.Talk(h.w, world.Client, "10.20.0.5:7", count, size, every); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *holed) fault(f emulate.Faults) {
	h.t.Helper()
	if err := h.link.Set(f); err != nil {
		h.t.Fatal(err)
	}
}

// leaves waits until every connection leaves the branch from an address.
func (h *holed) leaves(addr string) {
	h.t.Helper()
	until(h.t, h.branch, "sessions by "+addr, func(rows []row) bool {
		n := 0
		for _, r := range only(only(rows, "dir", "fwd"), "service", "datacenter") {
			if r["out-src-ip"] != addr {
				return false
			}
			n++
		}
		return n > 0
	}, "sessions")
}

// end ends the connections: none may have broken. It returns how long one of them
// was without an answer.
func (h *holed) end() time.Duration {
	h.t.Helper()
	got, err := h.talk.End()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Logf("%d connections, %d messages, longest gap %.0f ms", got.Connections, got.Messages, got.GapMs)
	if got.Broken > 0 {
		h.t.Errorf("%d broken: %s", got.Broken, got.Error)
	}
	return time.Duration(got.GapMs * float64(time.Millisecond))
}

// flapped tells whether BFD itself lost the fiber at either end, as it does when the
// machine stands still for too long.
func (h *holed) flapped() bool {
	h.t.Helper()
	for _, r := range []*world.Router{h.branch, h.hub} {
		for _, b := range show(h.t, r, "bfd") {
			if b["network-interface"] != "lte" && b["link-down"].(float64) > 0 {
				h.t.Logf("BFD lost the path: %v", b)
				return true
			}
		}
	}
	return false
}

// mostSilent is how long data may be missing while a path that BFD calls up is found
// to be dead (docs/path.md): that takes 1.2 s or so, with the slower BFD of the short
// form a little more, and then the senders have to try again, which TCP does 1.6 and
// 3.4 s after the first loss.
var mostSilent = map[bool]time.Duration{true: 3 * time.Second, false: 4 * time.Second}[whole]

// beat waits for more packets of the sessions in both directions.
func (h *holed) beat() {
	h.t.Helper()
	count := func(rows []row) (n float64) {
		for _, r := range only(rows, "service", "datacenter") {
			n += r["packets"].(float64)
		}
		return n
	}
	before := count(show(h.t, h.branch, "sessions"))
	until(h.t, h.branch, "packets", func(rows []row) bool { return count(rows) > before+100 }, "sessions")
}

// Big packets vanish on a path, in one direction or both, without a word: the
// path MTU falls to what passes, and the sessions stay and go on. Without SOAK
// some of the rows are tried, here and below.
func TestSoakBlackHole(t *testing.T) {
	for _, lanes := range []string{router.LanesBPF, router.LanesGo} {
		t.Run(lanes, func(t *testing.T) { testBlackHole(t, lanes) })
	}
}

func testBlackHole(t *testing.T, lanes string) {
	for name, f := range map[string]emulate.Faults{
		"to the hub":    {Out: emulate.Fault{Hole: 1400}},
		"to the branch": {In: emulate.Fault{Hole: 1400}},
		"both ways":     {In: emulate.Fault{Hole: 1333}, Out: emulate.Fault{Hole: 1333}},
		"with ICMP":     {In: emulate.Fault{Hole: 1400, ICMP: true}, Out: emulate.Fault{Hole: 1400, ICMP: true}},
	} {
		if !whole && name != map[string]string{router.LanesBPF: "to the branch", router.LanesGo: "both ways"}[lanes] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			soak.Within(t, "longest silence", mostSilent, func() time.Duration {
				h := newHoled(t, lanes, 4, 8000, 20*time.Millisecond)
				h.beat()
				h.fault(f)
				if f.Out.Hole > 0 {
					fits(t, h.branch, "fiber", f.Out.Hole)
				}
				if f.In.Hole > 0 {
					fits(t, h.hub, "wan", f.In.Hole)
				}
				h.beat()
				h.leaves("203.0.113.2")
				n, gap := stats(t, h.branch)["sessions/steered"], h.end()
				switch {
				case n > 0 && h.flapped():
					return mostSilent + 1 // no round of what is tested
				case n > 0:
					t.Errorf("%v sessions moved", n)
				}
				return gap
			})
		})
	}
}

// Less than 1,280 bytes pass: the path is dead, though BFD is up, and the
// sessions move, whichever side finds out.
func TestSoakBlackHoleBelow1280(t *testing.T) {
	for name, f := range map[string]emulate.Faults{
		"to the hub":    {Out: emulate.Fault{Hole: 600}},
		"to the branch": {In: emulate.Fault{Hole: 600}},
	} {
		if !whole && name != "to the branch" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			soak.Within(t, "longest silence", mostSilent, func() time.Duration {
				h := newHoled(t, router.LanesBPF, 4, 8000, 20*time.Millisecond)
				h.beat()
				h.fault(f)
				h.leaves("100.64.0.10")
				h.beat()
				h.fault(emulate.Faults{})
				h.leaves("203.0.113.2")
				h.beat()
				return h.end()
			})
		})
	}
}
