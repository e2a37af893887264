package router_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// leftFiles looks at what a run directory holds after an orderly stop.
func leftFiles(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		lease := strings.HasPrefix(e.Name(), router.LeasePrefix) || strings.HasPrefix(e.Name(), router.ServedPrefix)
		if !lease && !slices.Contains([]string{router.LockFile, router.EventsFile, router.LifetimesFile, router.KeysFile, router.UsageFile, router.EndpointsFile}, e.Name()) {
			t.Errorf("%s after stop: %s", dir, e.Name())
		}
	}
}

// A killed router leaves everything in place; the next one takes it over, and
// its orderly stop puts back what was before the first.
func TestKilledAndStartedAgain(t *testing.T) { onBothLanes(t, testKilledAndStartedAgain) }

func testKilledAndStartedAgain(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	if err := w.Carrier(world.Branch, "lan1", false); err != nil { // no device of the example
		t.Fatal(err)
	}
	if err := w.Carrier(world.Branch, "wan0", false); err != nil { // the router brings it up
		t.Fatal(err)
	}
	before := stateOf(t, w, world.Branch)
	start(t, w, "hub1", world.Hub, world.Acme())
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	var running map[string]string
	for range 3 {
		branch := start(t, w, "branch1", world.Branch, world.Acme())
		interfaceUp(t, branch, "fiber", "up", "")
		if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
			t.Errorf("got %d", page.Status)
		}
		if running != nil {
			sameState(t, w, world.Branch, "second start", running)
		}
		running = stateOf(t, w, world.Branch)
		if err := branch.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	branch := start(t, w, "branch1", world.Branch, world.Acme())
	if err := branch.Stop(); err != nil {
		t.Error(err)
	}
	sameState(t, w, world.Branch, "after stop", before)
	leftFiles(t, branch.Run)
	ids := map[any]bool{}
	text, err := os.ReadFile(filepath.Join(branch.Run, router.EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		id, _, _ := strings.Cut(line, ",")
		if ids[id] {
			t.Errorf("event %s twice", id)
		}
		ids[id] = true
	}
}

// Either router dies in mid-transfer; the connection goes on.
func TestTransferSurvivesRestart(t *testing.T) { onBothLanes(t, testTransferSurvivesRestart) }

func testTransferSurvivesRestart(t *testing.T, lanes string) {
	for _, victim := range []string{"branch1", "hub1"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			w := worldOf(t, lanes, world.Options{})
			branch, hub := pair(t, w)
			dead, ns := branch, world.Branch
			if victim == "hub1" {
				dead, ns = hub, world.Hub
			}
			serve(t, w, world.Server, "-sink", "10.20.0.5:5001")
			if err := w.Rate(world.ISPFiber, "hub", 200); err != nil {
				t.Fatal(err)
			}
			const size = 60_000_000 // 2.4 s at that rate
			done := make(chan error, 1)
			var got traffic.Transfer
			ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
			defer cancel()
			go func() {
				var err error
				got, err = traffic.Put(ctx, w, world.Client, "10.20.0.5:5001", size)
				done <- err
			}()
			until(t, dead, "half a transfer", func(rows []row) bool {
				s := only(only(rows, "dest-port", 5001.0), "service", "datacenter")
				return len(s) > 0 && s[0]["bytes"].(float64) > size/4 || len(only(rows, "service", "datacenter")) > 0 &&
					only(rows, "service", "datacenter")[0]["bytes"].(float64) > size/4
			}, "sessions")
			if err := dead.Kill(); err != nil {
				t.Fatal(err)
			}
			start(t, w, victim, ns, world.Acme())
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got.Bytes != size || got.Sent != got.Arrived {
				t.Errorf("sent %d bytes %s, arrived %d bytes %s", size, got.Sent, got.Bytes, got.Arrived)
			}
			t.Logf("%d bytes in %.1f s", got.Bytes, got.Seconds)
		})
	}
}

func TestSecondRouterIsRefused(t *testing.T) { onBothLanes(t, testSecondRouterIsRefused) }

func testSecondRouterIsRefused(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	first := start(t, w, "branch1", world.Branch, world.Acme())
	before := stateOf(t, w, world.Branch)
	file := writeConfig(t, w, "again.json", world.Acme())
	for _, dir := range []string{first.Run, w.Path("elsewhere")} {
		out, code := run(t, w, world.Branch, "router", "-config", file, "-router", "branch1", "-run", dir)
		if code != 1 || !strings.Contains(out, "router branch1, process ") || !strings.Contains(out, first.Run) {
			t.Errorf("run directory %s: exit code %d\n%s", dir, code, out)
		}
	}
	sameState(t, w, world.Branch, "after two refused starts", before)
	if _, err := first.Show("system"); err != nil {
		t.Errorf("the first router does not answer any more: %v", err)
	}
}

// Nothing is touched before the configuration is known to be right.
func TestWrongStartTouchesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	before := stateOf(t, w, world.Branch)
	acme := string(world.Acme())
	good := writeConfig(t, w, "good.json", world.Acme())
	bad := writeConfig(t, w, "bad.json", []byte(strings.Replace(acme, `"prefix-length": 24`, `"prefix-length": 240`, 1)))
	dir := w.Path("nowhere")
	for _, args := range [][]string{
		{"-config", bad, "-router", "branch1", "-run", dir},
		{"-config", good, "-router", "branch9", "-run", dir},
		{"-config", w.Path("missing.json"), "-router", "branch1", "-run", dir},
		{"-config", good, "-router", "branch1", "-run", dir, "-lanes", "none"},
		{"-config", good, "-router", "branch1", "-run", dir, "-profile", "huge"},
		{"-config", good, "-router", "branch1"},
		{"-config", good, "-router", "branch1", "-run", dir, "extra"},
		{"-config", good, "-router", "branch1", "-run", dir, "-no-such-flag"},
	} {
		if out, code := run(t, w, world.Branch, append([]string{"router"}, args...)...); code != 2 || out == "" {
			t.Errorf("%v: exit code %d, want 2\n%s", args, code, out)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the run directory was made")
	}
	sameState(t, w, world.Branch, "after wrong starts", before)
}

func TestKeep(t *testing.T) { onBothLanes(t, testKeep) }

func testKeep(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	before := stateOf(t, w, world.Hub)
	r := start(t, w, "hub1", world.Hub, world.Acme(), "-keep")
	running := stateOf(t, w, world.Hub)
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	kept := stateOf(t, w, world.Hub)
	for _, what := range []string{"ip -o address", "ip -4 route", "nft list ruleset"} {
		if kept[what] != running[what] {
			t.Errorf("%s: got\n%s\nwant\n%s", what, kept[what], running[what])
		}
	}
	if r = start(t, w, "hub1", world.Hub, world.Acme()); r.Stop() != nil {
		t.Error("second stop failed")
	}
	sameState(t, w, world.Hub, "after a stop without -keep", before)
}
