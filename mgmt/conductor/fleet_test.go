package conductor_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"waymark/mgmt/conductor"
	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/uplink"
	"waymark/scripts/soak"
)

// fleet is how many boxes come.
const fleet = 200

// until waits for a condition and returns how long it took.
func until(t *testing.T, what string, within time.Duration, ok func() (missing int)) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		n := ok()
		d := time.Since(began)
		switch {
		case n == 0:
			return d
		case d > within:
			t.Fatalf("%s: %d missing after %v", what, n, d.Round(time.Millisecond))
		}
		<-time.After(10 * time.Millisecond)
	}
}

// lacking counts the boxes for which ok is false.
func lacking(boxes []*simulated, ok func(*simulated) bool) func() int {
	return func() (n int) {
		for _, b := range boxes {
			b.do(func(b *simulated) {
				if !ok(b) {
					n++
				}
			})
		}
		return n
	}
}

// 200 boxes with real SSH and Salt enrol within 60 s; one dynamic-peer-update
// reaches all within 2 s; the conductor is killed and all are back within 30 s,
// minions included, with at most 40 attempts to connect in any second: Salt's
// connections are streams in those of the boxes. The times are measured in rounds,
// one of which holds: other work on the machine comes and goes.
func TestFleet(t *testing.T) {
	var s *conductor.Settings
	var c *running
	var log string
	var d *dials
	var boxes []*simulated
	end := func() {}
	defer func() { end() }()
	soak.Within(t, fmt.Sprint(fleet, " boxes enrolled after"), time.Minute, func() time.Duration {
		end()
		s, log, d = settings(t, shortDir(t), "c1"), filepath.Join(t.TempDir(), "log"), &dials{}
		c = start(t, process{Settings: s}, log)
		commit(t, s, fleetConfig(fleet-1))
		boxes = makeBoxes(t, d)
		began := time.Now()
		end = runAll(t, boxes, s.Listen)
		until(t, "enrol", 3*time.Minute, lacking(boxes, func(b *simulated) bool {
			return b.up && b.state == uplink.StateAccepted && b.running != "" && b.minion == minion.Ready
		}))
		return time.Since(began)
	})
	hubMoves(t, boxes, 1)

	soak.Within(t, "all are back after the kill by", 30*time.Second, func() time.Duration {
		killed := time.Now()
		c.kill()
		until(t, "notice", time.Minute, lacking(boxes, func(b *simulated) bool { return !b.up && b.minion != minion.Ready }))
		c = launch(t, process{Settings: s}, log)
		until(t, "come back", 2*time.Minute, lacking(boxes, func(b *simulated) bool { return b.up && b.minion == minion.Ready }))
		back := time.Since(killed)
		most, total := d.busiest(killed)
		t.Logf("%d attempts, at most %d in a second", total, most)
		c.ready()
		if most > 40 { // what fell due while the machine stood still comes at once
			return time.Hour
		}
		return back
	})
	var rows []asset.Row
	until(t, "running", time.Minute, func() (n int) {
		api(t, s, "GET", "/v1/assets", nil, &rows)
		for _, r := range rows {
			if r.Status != asset.StatusRunning {
				n++
			}
		}
		return n + fleet - len(rows)
	})
	hubMoves(t, boxes, 101)
}

// runAll runs boxes until end.
func runAll(t *testing.T, boxes []*simulated, addr string) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, b := range boxes {
		all.Go(func() { b.run(ctx, t, addr) })
	}
	return sync.OnceFunc(func() {
		cancel()
		all.Wait()
	})
}

// makeBoxes makes the keys, before any clock starts: box 0 is the hub.
func makeBoxes(t *testing.T, d *dials) []*simulated {
	t.Helper()
	boxes := []*simulated{newBox(t, "hub-0", d)}
	for i := range fleet - 1 {
		boxes = append(boxes, newBox(t, fmt.Sprintf("cpe-%d", i), d))
	}
	return boxes
}

// hubMoves has the hub tell an address, the first one with that host number, and
// waits until every branch has it.
func hubMoves(t *testing.T, boxes []*simulated, host byte) {
	t.Helper()
	soak.Within(t, fmt.Sprintf("%d branches know the hub's new address after", len(boxes)-1), 2*time.Second, func() time.Duration {
		to := netip.AddrFrom4([4]byte{198, 51, 100, host})
		host++
		boxes[0].out.add(nil, &uplink.Addresses{Full: true, Addresses: []uplink.Address{
			{Router: "hub", Node: "node1", Interface: "wan-if", Hostname: "hub.example.net", Address: to, Since: time.Now()},
		}})
		return until(t, "dynamic-peer-update", time.Minute, lacking(boxes[1:], func(b *simulated) bool { return b.book["hub"] == to }))
	})
}

// commit has a conductor commit a configuration.
func commit(t *testing.T, s *conductor.Settings, config []byte) {
	t.Helper()
	var answer any
	if code := api(t, s, "PUT", "/v1/config", config, &answer); code != 200 {
		t.Fatalf("load: %d %v", code, answer)
	}
	if code := api(t, s, "POST", "/v1/config/commit", nil, &answer); code != 200 {
		t.Fatalf("commit: %d %v", code, answer)
	}
}
