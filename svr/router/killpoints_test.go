package router_test

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/scripts/soak"
)

// killPoints is how many times a router is killed: SOAK makes it 200.
func killPoints() int {
	if os.Getenv("SOAK") != "" {
		return 200
	}
	return 10
}

// Routers are killed at any moment while sessions come and go. What they leave
// is consistent each time: the next process walks index, sessions and wayports
// before it uses them, and a stream that began before the first kill ends after
// the last one without loss. A machine that is late with a start, for so long that
// the other end takes the path for dead, has other rounds.
func TestSoakKillPoints(t *testing.T) {
	t.Parallel()
	soak.Within(t, "the slowest start answered after", patience, func() time.Duration { return killPointsOnce(t) })
}

// killPointsOnce returns how long the slowest start took; more than patience if that
// cost a path and the path datagrams.
func killPointsOnce(t *testing.T) (slowest time.Duration) {
	t.Helper()
	w := newWorld(t, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000,10.20.0.5:53", "-web", "10.20.0.5:80")
	for _, ns := range []string{world.Client, world.Server} {
		countUDP(t, w, ns, 5000)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, drops := killPoints(), kernelDrops(t, w)
	stream := make(chan error, 1)
	go func() {
		_, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 5, 4+2*n, 1200)
		stream <- err
	}()
	churn := make(chan struct{})
	go func() { // sessions that come; they go by their idle time
		defer close(churn)
		for ctx.Err() == nil {
			_, _ = traffic.Ask(ctx, w, world.Client, "10.20.0.5:53", 200) // some are asked of a dead router
		}
	}()
	for _, r := range []*world.Router{branch, hub} {
		until(t, r, "an established stream", func(rows []row) bool {
			for _, s := range rows {
				if s["bytes"].(float64) > 1e5 {
					return true
				}
			}
			return false
		}, "sessions")
	}
	down := pathsDown(t, branch) + pathsDown(t, hub)
	for range n {
		<-time.After(time.Duration(rnd.IntN(600)) * time.Millisecond)
		began := time.Now()
		if rnd.IntN(2) == 0 {
			branch = killed(t, w, branch, "branch1", world.Branch)
		} else {
			hub = killed(t, w, hub, "hub1", world.Hub)
		}
		slowest = max(slowest, time.Since(began))
	}
	err := <-stream
	cancel()
	<-churn
	if err != nil {
		t.Error(err)
	}
	if n := pathsDown(t, branch) + pathsDown(t, hub) - down; n > 0 && slowest >= missed {
		t.Logf("%d paths went down, a start took %v", n, slowest)
		return patience + 1
	}
	lossless(t, w, 1000, drops)
	return slowest
}

// killed kills a router and starts the next one, which must find what it left
// consistent and take it over.
func killed(t *testing.T, w *world.World, r *world.Router, name, ns string) *world.Router {
	t.Helper()
	kill(t, r)
	r = start(t, w, name, ns, world.Acme())
	line := logLine(t, r, "sessions adopted, pools checked")
	if field(line, "adopted") == "0" {
		t.Errorf("%s: nothing was adopted: %s", name, line)
	}
	return r
}
