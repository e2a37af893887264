package router_test

import (
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// After a kill a router may start in another way: without the kernel's lane, or
// with a configuration that numbers things differently. What is on the devices
// goes then, and traffic flows at once.
func TestOtherStartAfterKill(t *testing.T) {
	for name, again := range map[string]struct {
		config []byte
		lanes  string
	}{
		"go": {world.Acme(), router.LanesGo}, "other configuration": {world.AcmeGuest(), router.LanesBPF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, world.Options{})
			before := stateOf(t, w, world.Branch)
			branch, _ := pair(t, w)
			serve(t, w, world.Server, "-web", "10.20.0.5:80")
			page := func() {
				t.Helper()
				if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
					t.Errorf("got %d", page.Status)
				}
			}
			page()
			if err := branch.Kill(); err != nil {
				t.Fatal(err)
			}
			w.Lanes = again.lanes
			branch = start(t, w, "branch1", world.Branch, again.config)
			page()
			if again.lanes == router.LanesGo {
				if links, err := w.Exec(world.Branch, "ip", "link"); err != nil || strings.Contains(links, "waymark0") {
					t.Errorf("a TAP is left: %v\n%s", err, links)
				}
			} else if m := stats(t, branch); m["fast/host-own-address"] > m["fast/in"] || m["fast/in"] == 0 {
				t.Errorf("counters: %v", m)
			}
			page()
			if err := branch.Stop(); err != nil {
				t.Error(err)
			}
			sameState(t, w, world.Branch, "after stop", before)
			leftFiles(t, branch.Run)
		})
	}
}
