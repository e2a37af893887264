package router_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// The branch is behind its carrier's NAT and its fiber is cut: hosts behind the
// hub reach it all the same, sessions of both directions outlive a NAT that
// forgets everything, another public address and another lease.
func TestBehindNAT(t *testing.T) { onBothLanes(t, testBehindNAT) }

func testBehindNAT(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	config := acmeEvery(t, quickEvery(whole))
	if lanes == router.LanesGo { // and once where BFD speaks all the time
		config = bytes.ReplaceAll(config, []byte(`"billing-type": "metered"`), []byte(`"billing-type": "flat"`))
	}
	hub := start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	peersUp(t, branch)
	peersUp(t, hub)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("branch1: %v\n%v\nhub1: %v\n%v", countedAll(t, branch), show(t, branch, "bfd", "detail"), countedAll(t, hub), show(t, hub, "bfd", "detail"))
		}
	})
	if err := w.Carrier(world.ISPFiber, "branch", false); err != nil {
		t.Fatal(err)
	}
	alone(t, hub)
	serve(t, w, world.Client, "-web", "192.168.1.10:80")
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	if page := get(t, w, world.Server, "http://192.168.1.10/"); page.Status != 200 {
		t.Errorf("from behind the hub: %d", page.Status)
	}
	pings := []*world.Proc{
		ping(t, w, world.Server, "192.168.1.10"), ping(t, w, world.Client, "10.20.0.5"),
	}
	for _, p := range pings {
		more(t, p)
	}
	forget := []string{"link set dev up down", "link set dev up up", "route replace default via 198.18.0.1"}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"the NAT forgets", func() error { return w.IP(world.ISPLTE, forget...) }},
		{"another public address", func() error {
			if err := w.IP(world.ISPFiber, "address add 198.18.8.1/30 dev lte"); err != nil {
				return err
			}
			return w.IP(world.ISPLTE, "address add 198.18.8.2/30 dev up", "address del 198.18.0.2/30 dev up",
				"route replace default via 198.18.8.1")
		}},
		{"another lease", func() error {
			return w.IP(world.Branch, "address del 100.64.0.10/24 dev wan1", "address add 100.64.0.33/24 dev wan1",
				"route replace default via 100.64.0.1 dev wan1 metric 500")
		}},
	} {
		t.Log(change.name)
		before := sessionIDs(t, branch)
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		for _, p := range pings {
			more(t, p)
		}
		after := sessionIDs(t, branch)
		for id := range before {
			if !after[id] {
				t.Errorf("%s: a session ended\n%v\n%v", change.name, before, after)
			}
		}
		until(t, branch, "path up", func(rows []row) bool { return len(only(rows, "status", "up")) == 1 }, "peers")
	}
	for _, p := range pings {
		if err := p.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		t.Logf("longest silence %.0f ms", silence(t, p.Output())*1000)
	}
	if rows := show(t, hub, "service-path"); len(only(only(rows, "service", "branch-lan"), "state", "Up")) == 0 {
		t.Errorf("the hub shows no way to the branch: %v", rows)
	}
}

// alone waits until a hub has its branch by one of two paths: nobody else carries
// what begins while that is down.
func alone(t *testing.T, hub *world.Router) {
	t.Helper()
	until(t, hub, "fiber alone down at the hub", func(rows []row) bool {
		return len(only(rows, "status", "down")) == 1 && len(only(rows, "status", "up")) == 1
	}, "peers")
}

// ping starts a ping that lasts until it is interrupted: with -w an ICMP error
// would end it.
func ping(t *testing.T, w *world.World, ns, dst string) *world.Proc {
	t.Helper()
	p, err := w.Start(ns, "ping", "-n", "-D", "-i", "0.02", dst)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sessionIDs returns the sessions of pings.
func sessionIDs(t *testing.T, r *world.Router) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, s := range only(show(t, r, "sessions"), "proto", "icmp") {
		ids[s["session-id"].(string)] = true
	}
	if len(ids) != 2 {
		t.Fatalf("%d sessions, want 2", len(ids))
	}
	return ids
}

// A hub behind a NAT that forwards port 1280 and its wayports is reached by its
// external-nat-address.
func TestExternalNATAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{NoLTE: true})
	const outside = "198.18.9.2"
	config := bytes.ReplaceAll(world.Acme(), []byte(`{"name": "isp-fiber", "topology": "hub",`),
		[]byte(`{"name": "isp-fiber", "topology": "hub", "external-nat-address": "`+outside+`",`))
	if bytes.Equal(config, world.Acme()) {
		t.Fatal("the example has no such neighborhood")
	}
	// The ISP forwards what comes for that address to the hub, whose own is private to it.
	nft(t, w, world.ISPFiber, `table ip forwards {
	chain pre { type nat hook prerouting priority -100; policy accept; ip daddr `+outside+` dnat to 198.51.100.2; }
	chain post { type nat hook postrouting priority 100; policy accept; oifname "hub" ip saddr 203.0.113.0/24 snat to 198.51.100.1; }
}`)
	start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	until(t, branch, "path to the external address", func(rows []row) bool {
		fiber := only(rows, "network-interface", "fiber")
		return len(fiber) == 1 && fiber[0]["status"] == "up" && strings.HasPrefix(fiber[0]["destination"].(string), outside)
	}, "peers")
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
		t.Errorf("over the forwarded address: %d", page.Status)
	}
}

// countedAll is the counters of a router's sessions that are not zero.
func countedAll(t *testing.T, r *world.Router) map[string]any {
	t.Helper()
	list := map[string]any{}
	for _, row := range show(t, r, "stats") {
		if v, ok := row["value"].(float64); ok && v != 0 {
			list[row["metric"].(string)] = v
		}
	}
	return list
}
