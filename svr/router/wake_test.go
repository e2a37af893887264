package router_test

import (
	"context"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// A new lane in the kernel begins blind, and the service lane forwards at once: what
// begins then loses nothing while programs that see take their places, and is in the
// kernel's hands afterwards. A router that finds a lane does without.
func TestBlindStart(t *testing.T) {
	t.Parallel()
	const sees = "lane in the kernel sees sessions"
	w := newWorld(t, world.Options{})
	w.Lanes = router.LanesAuto
	serve(t, w, world.Internet, "-udp", "192.0.2.10:5000", "-web", "192.0.2.10:80")
	drops := backlogDrops(t)
	branch := start(t, w, "branch1", world.Branch, world.Acme())
	got, err := traffic.Stream(context.Background(), w, world.Client, "192.0.2.10:5000", 5, 3, 1200)
	if lost := float64(got.Sent - got.Answered); err != nil || got.Sent < 1000 || lost > backlogDrops(t)-drops {
		t.Errorf("%+v, %v; the kernel dropped %v", got, err, backlogDrops(t)-drops)
	}
	if line := logLine(t, branch, sees); field(line, "devices") != "3" {
		t.Errorf("the log says %s", line)
	}
	if m := stats(t, branch); m["fast/forwarded-tc"] < float64(got.Sent) || m["fast/punt-miss"] == 0 {
		t.Errorf("the kernel forwarded %v packets of %d and their answers, missed %v", m["fast/forwarded-tc"], got.Sent, m["fast/punt-miss"])
	}
	kill(t, branch)
	branch = start(t, w, "branch1", world.Branch, world.Acme())
	if p := get(t, w, world.Client, "http://192.0.2.10/"); p.Status != 200 {
		t.Errorf("got %d", p.Status)
	}
	if strings.Contains(branch.Output(), sees) {
		t.Error("a lane that was found begins blind")
	}
}
