package router_test

import (
	"bytes"
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/world"
)

// A path that becomes slower than its service-policy allows loses its sessions
// to another one, and gets them back when it was good for long enough; it is up
// all the time.
func TestSessionsLeavePoorPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	config := world.Acme()
	for old, with := range map[string]string{
		`"max-latency": 250,`: `"max-latency": 100, "path-quality-filter": true,`,
		`"vector": ["fiber"]`: `"bfd": {"link-test-interval": 1}, "vector": ["fiber"]`,
	} {
		if !bytes.Contains(config, []byte(old)) {
			t.Fatalf("the example has no %s", old)
		}
		config = bytes.ReplaceAll(config, []byte(old), []byte(with))
	}
	link, err := emulate.Switchable(w, world.Branch, "wan0", emulate.Impairment{})
	if err != nil {
		t.Fatal(err)
	}
	calm(t, w, world.Branch)
	start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	peersUp(t, branch)
	ping(t, w, world.Client, "10.20.0.5")
	source(t, branch, "203.0.113.2")
	slow := emulate.Fault{Slow: 150 * time.Millisecond}
	if err := link.Set(emulate.Faults{In: slow, Out: slow}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	source(t, branch, "100.64.0.10")
	t.Logf("left after %.1f s", time.Since(began).Seconds())
	fiber := only(show(t, branch, "peers", "detail"), "network-interface", "fiber")
	if len(fiber) != 1 || fiber[0]["status"] != "up" || fiber[0]["latency-ms"].(float64) < 100 {
		t.Errorf("the path that was left: %v", fiber)
	}
	if err := link.Set(emulate.Faults{}); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	within(t, time.Minute, branch, "ping by fiber again", func(rows []row) bool {
		return len(only(only(rows, "proto", "icmp"), "out-src-ip", "203.0.113.2")) == 1
	}, "sessions")
	if back := time.Since(began); back < 10*time.Second {
		t.Errorf("back after %v", back)
	} else {
		t.Logf("back after %.1f s", back.Seconds())
	}
	if rows := show(t, branch, "bfd"); len(only(rows, "link-down", 0.0)) != 2 {
		t.Errorf("a path went down meanwhile: %v", rows)
	}
}
