package router_test

import (
	"context"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// A new lane in the kernel begins asleep, and the service lane receives and forwards at
// once: what begins then loses nothing while the programs take their places, and is in
// the kernel's hands afterwards. A router that finds a lane does without.
func TestSleepingStart(t *testing.T) {
	t.Parallel()
	const sees, size = "lane in the kernel sees sessions", 1200
	w := newWorld(t, world.Options{})
	w.Lanes = router.LanesAuto
	serve(t, w, world.Internet, "-udp", "192.0.2.10:5000", "-web", "192.0.2.10:80")
	for _, ns := range []string{world.Client, world.Internet} {
		countUDP(t, w, ns, 5000)
	}
	drops := kernelDrops(t, w)
	branch := start(t, w, "branch1", world.Branch, world.Acme())
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan struct{})
	go func() { // for longer than any start
		defer close(ended)
		_, _ = traffic.Stream(ctx, w, world.Client, "192.0.2.10:5000", 5, 120, size)
	}()
	logged(t, branch, sees)
	if line := logLine(t, branch, sees); field(line, "devices") != "3" {
		t.Errorf("the log says %s", line)
	}
	inKernel(t, branch, 1000)
	end()
	<-ended
	nothingLost(t, w, world.Client, world.Internet, size, drops, 3)
	kill(t, branch)
	branch = start(t, w, "branch1", world.Branch, world.Acme())
	if p := get(t, w, world.Client, "http://192.0.2.10/"); p.Status != 200 {
		t.Errorf("got %d", p.Status)
	}
	if strings.Contains(branch.Output(), sees) {
		t.Error("a lane that was found begins asleep")
	}
}

// nothingLost waits until every byte of UDP that either host sent is at the other one,
// apart from what this machine's kernel threw away between two devices since before.
// The service lane may put many datagrams into one: their bytes are compared, behind
// the headers, and no datagram has fewer than size. Some may arrive twice.
func nothingLost(t *testing.T, w *world.World, a, b string, size, before, twice float64) {
	t.Helper()
	const headers = 20 + 8
	var x, y counted
	data := func(c counted, way string) float64 { return c[way+"-bytes"] - headers*c[way] }
	err := world.Until(patience, "every datagram", func() (bool, error) {
		x, y = readCounts(t, w, a), readCounts(t, w, b)
		up, down := data(x, "out")-data(y, "in"), data(y, "out")-data(x, "in")
		return up >= -twice*size && down >= -twice*size && up+down <= size*(kernelDrops(t, w)-before), nil
	})
	if err != nil || data(x, "out") < 500*size || data(y, "out") < 500*size {
		t.Errorf("%v: %s %v, %s %v; the kernel dropped %v", err, a, x, b, y, kernelDrops(t, w)-before)
	}
}
