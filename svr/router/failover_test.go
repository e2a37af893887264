package router_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/scripts/soak"
	"waymark/svr/router"
)

// quickAcme is the example with BFD at 100 ms × 3 and a short hold-down.
func quickAcme(t *testing.T) []byte { t.Helper(); return acmeEvery(t, 100) }

// acmeEvery is the example with BFD every so many ms × 3 and a short hold-down.
func acmeEvery(t *testing.T, ms int) []byte {
	t.Helper()
	leaves := fmt.Sprintf(`"bfd": {"desired-tx-interval": %[1]d, "required-min-rx-interval": %[1]d, "hold-down-time": 1}, `, ms)
	text := world.Acme()
	for _, v := range []string{`"vector": ["fiber"]`, `"vector": ["lte"]`} {
		if bytes.Count(text, []byte(v)) != 2 {
			t.Fatalf("the example has %s %d times", v, bytes.Count(text, []byte(v)))
		}
		text = bytes.ReplaceAll(text, []byte(v), []byte(leaves+v))
	}
	return text
}

// source waits until the session of a ping leaves the branch from an address.
func source(t *testing.T, branch *world.Router, addr string) {
	t.Helper()
	until(t, branch, "ping by "+addr, func(rows []row) bool {
		for _, r := range rows {
			if r["dir"] == "fwd" && r["proto"] == "icmp" && r["out-src-ip"] == addr {
				return true
			}
		}
		return false
	}, "sessions")
}

var answered = regexp.MustCompile(`(?m)^\[(\d+\.\d+)\] \d+ bytes from`)

// silence is the longest time between two answers of a ping -D.
func silence(t *testing.T, out string) (gap float64) {
	t.Helper()
	last := 0.0
	for _, m := range answered.FindAllStringSubmatch(out, -1) {
		at, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if last > 0 {
			gap = max(gap, at-last)
		}
		last = at
	}
	if last == 0 {
		t.Fatalf("no answers:\n%s", out)
	}
	return gap
}

// A path that dies silently, in both directions or in one, loses its sessions
// to the other one and gets them back; alarms come and go. Nobody waits for longer
// than half a second: of three rounds one holds that.
func TestFailover(t *testing.T) {
	w := newWorld(t, world.Options{})
	config := quickAcme(t)
	start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	peersUp(t, branch)
	for _, c := range cuts {
		t.Run(c.name, func(t *testing.T) {
			failsOver(t, w, branch, c.rule, "0.01", 500*time.Millisecond, func() {
				until(t, branch, "an alarm", func(rows []row) bool { return pathAlarms(rows) == 1 }, "alarms")
			})
			until(t, branch, "no alarm", func(rows []row) bool { return pathAlarms(rows) == 0 }, "alarms")
		})
	}
}

// cuts are the ways in which the fiber dies without a word.
var cuts = []struct{ name, rule string }{
	{"both ways", bothWays}, {"branch to hub", `iifname "branch" drop`}, {"hub to branch", `oifname "branch" drop`},
}

const bothWays = `iifname "branch" drop; oifname "branch" drop`

// failsOver measures in rounds that a ping is never without an answer for longer
// than most while the fiber is cut.
func failsOver(t *testing.T, w *world.World, branch *world.Router, rule, interval string, most time.Duration, while func()) {
	t.Helper()
	soak.Within(t, "longest silence", most, func() time.Duration { return pingOverCut(t, w, branch, rule, interval, while) })
}

// pingOverCut cuts the fiber under a ping, which goes by the LTE then and comes
// back after the cut, and returns its longest time without an answer.
func pingOverCut(t *testing.T, w *world.World, branch *world.Router, rule, interval string, while func()) time.Duration {
	t.Helper()
	ping, err := w.Start(world.Client, "ping", "-n", "-D", "-i", interval, "-w", "240", "10.20.0.5")
	if err != nil {
		t.Fatal(err)
	}
	defer ping.Stop()
	source(t, branch, "203.0.113.2")
	more(t, ping)
	cutFiber(t, w, rule)
	source(t, branch, "100.64.0.10")
	while()
	nft(t, w, world.ISPFiber, "delete table inet cut")
	source(t, branch, "203.0.113.2")
	more(t, ping)
	if err := ping.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ping.Done()
	return time.Duration(silence(t, ping.Output()) * float64(time.Second))
}

// cutFiber drops what a rule says on the ISP of the fiber.
func cutFiber(t *testing.T, w *world.World, rule string) {
	t.Helper()
	nft(t, w, world.ISPFiber, "table inet cut { chain f { type filter hook forward priority 0; policy accept; "+rule+"; }; }")
}

// more waits for twenty more answers.
func more(t *testing.T, ping *world.Proc) {
	t.Helper()
	have := strings.Count(ping.Output(), "bytes from")
	err := world.Until(patience, "answers to ping", func() (bool, error) {
		return strings.Count(ping.Output(), "bytes from") >= have+20, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pathAlarms(rows []row) (n int) {
	for _, r := range rows {
		if strings.Contains(r["message"].(string), "path is down") {
			n++
		}
	}
	return n
}

// peersUp waits for every path of a router.
func peersUp(t *testing.T, r *world.Router) {
	t.Helper()
	if err := r.PeersUp(patience, func(map[string]any) bool { return true }); err != nil {
		t.Fatal(err)
	}
}

func nft(t *testing.T, w *world.World, ns, rules string) {
	t.Helper()
	file := writeConfig(t, w, "rules.nft", []byte(rules+"\n"))
	if out, err := w.Exec(ns, "nft", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// kill -9 of either router takes no path down at the other one, and none comes
// up late at the one that starts again. A machine that is busy, and late with the start,
// has other rounds.
func TestKillTakesNoPathDown(t *testing.T) {
	for _, lanes := range []string{router.LanesBPF, router.LanesGo} {
		t.Run(lanes, func(t *testing.T) { testKillTakesNoPathDown(t, lanes) })
	}
}

func testKillTakesNoPathDown(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	branch, hub := pair(t, w)
	peersUp(t, branch)
	peersUp(t, hub)
	until(t, hub, "lte of the branch learned", func(rows []row) bool {
		return len(only(rows, "destination", "198.18.0.2")) == 1 && len(only(rows, "status", "up")) == 2
	}, "bfd")
	hub = killTakesNoPathDown(t, w, "hub1", world.Hub, hub, branch)
	killTakesNoPathDown(t, w, "branch1", world.Branch, branch, hub)
}

// missed is when a router that hears from another one once a second is late to answer
// again: it may take longer on a machine with other work, and is missed after three
// seconds.
const missed = 1500 * time.Millisecond

// killTakesNoPathDown kills a router and starts it again, until no path went down at
// the one that stays, and returns the new one. Only a start that was late may repeat.
func killTakesNoPathDown(t *testing.T, w *world.World, name, ns string, r, stays *world.Router) *world.Router {
	t.Helper()
	peersUp(t, stays)
	for round := 1; ; round++ {
		before, began := pathsDown(t, stays), time.Now()
		kill(t, r)
		r = start(t, w, name, ns, world.Acme())
		took := time.Since(began)
		peersUp(t, r)
		peersUp(t, stays)
		for _, p := range show(t, r, "peers", "detail") {
			if p["status"] != "up" {
				t.Errorf("%s after its restart: %v", name, p)
			}
		}
		n := pathsDown(t, stays) - before
		t.Logf("%s answers %v after its kill, %d paths went down", name, took.Round(time.Millisecond), n)
		if n == 0 {
			return r
		}
		if took < missed || round == 5 {
			t.Fatalf("%d paths went down: %v", n, show(t, stays, "events"))
		}
	}
}

// pathsDown counts the alarms so far of paths that went down.
func pathsDown(t *testing.T, r *world.Router) (n int) {
	t.Helper()
	for _, e := range show(t, r, "events") {
		if e["event-type"] == "add" && strings.Contains(e["message"].(string), "path is down") {
			n++
		}
	}
	return n
}
