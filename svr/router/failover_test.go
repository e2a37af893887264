package router_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// quickAcme is the example with BFD at 100 ms × 3 and a short hold-down.
func quickAcme(t *testing.T) []byte {
	t.Helper()
	const leaves = `"bfd": {"desired-tx-interval": 100, "required-min-rx-interval": 100, "hold-down-time": 1}, `
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
	within(t, 15*time.Second, branch, "ping by "+addr, func(rows []row) bool {
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
// to the other one and gets them back; alarms come and go.
func TestFailover(t *testing.T) {
	old := lanes
	lanes = router.LanesBPF
	t.Cleanup(func() { lanes = old })
	w := newWorld(t, world.Options{})
	config := quickAcme(t)
	start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	peersUp(t, branch)
	for _, cut := range []struct{ name, rule string }{
		{"both ways", `iifname "branch" drop; oifname "branch" drop`},
		{"branch to hub", `iifname "branch" drop`},
		{"hub to branch", `oifname "branch" drop`},
	} {
		t.Run(cut.name, func(t *testing.T) {
			ping, err := w.Start(world.Client, "ping", "-n", "-D", "-i", "0.01", "-w", "30", "10.20.0.5")
			if err != nil {
				t.Fatal(err)
			}
			defer ping.Stop()
			source(t, branch, "203.0.113.2")
			nft(t, w, world.ISPFiber, "table inet cut { chain f { type filter hook forward priority 0; policy accept; "+cut.rule+"; }; }")
			source(t, branch, "100.64.0.10")
			until(t, branch, "an alarm", func(rows []row) bool { return pathAlarms(rows) == 1 }, "alarms")
			nft(t, w, world.ISPFiber, "delete table inet cut")
			source(t, branch, "203.0.113.2")
			until(t, branch, "no alarm", func(rows []row) bool { return pathAlarms(rows) == 0 }, "alarms")
			more(t, ping)
			if err := ping.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			<-ping.Done()
			gap := silence(t, ping.Output())
			t.Logf("longest silence %.0f ms", gap*1000)
			if gap > 0.5 {
				t.Errorf("silent for %.0f ms, want 500 at most", gap*1000)
			}
		})
	}
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
// up late at the one that starts again.
func TestKillTakesNoPathDown(t *testing.T) { onBothLanes(t, testKillTakesNoPathDown) }

func testKillTakesNoPathDown(t *testing.T) {
	w := newWorld(t, world.Options{})
	branch, hub := pair(t, w)
	peersUp(t, branch)
	peersUp(t, hub)
	until(t, hub, "lte of the branch learned", func(rows []row) bool {
		return len(only(rows, "destination", "198.18.0.2")) == 1 && len(only(rows, "status", "up")) == 2
	}, "bfd")
	for _, victim := range []string{"hub1", "branch1"} {
		stays, gone, ns := branch, hub, world.Hub
		if victim == "branch1" {
			stays, gone, ns = hub, branch, world.Branch
		}
		before := only(show(t, stays, "events"), "type", "alarm")
		if err := gone.Kill(); err != nil {
			t.Fatal(err)
		}
		again := start(t, w, victim, ns, world.Acme())
		peersUp(t, again)
		peersUp(t, stays)
		for _, e := range show(t, stays, "events") {
			if strings.Contains(e["message"].(string), "path is down") {
				t.Errorf("%s killed: %v (%d alarms before)", victim, e, len(before))
			}
		}
		for _, r := range show(t, again, "peers", "detail") {
			if r["status"] != "up" {
				t.Errorf("%s after its restart: %v", victim, r)
			}
		}
		if victim == "hub1" {
			hub = again
		} else {
			branch = again
		}
	}
}
