package router_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/emulate/nat"
	"waymark/cmd/lab/world"
)

// The branch is behind a NAT that no kernel has: every place outside sees it at
// another port, and what nobody answered is forgotten after two seconds. Sessions
// of both directions work, outlive a NAT that forgets everything, and another
// public address.
func TestBehindSymmetricNAT(t *testing.T) {
	w := newWorld(t, world.Options{})
	must(t, w.IP(world.ISPFiber, "route add 198.18.8.2/32 via 198.18.0.2"))
	nft(t, w, world.ISPLTE, "delete table ip carrier") // the kernel's own
	link, err := emulate.Switchable(w, world.ISPLTE, "up", emulate.Impairment{Delay: 10 * time.Millisecond, NAT: &nat.Config{
		External: netip.MustParseAddr("198.18.0.2"), Mapping: nat.Symmetric, Unreplied: 2 * time.Second, Replied: 20 * time.Second, Seed: 3}})
	must(t, err)
	must(t, w.IP(world.ISPFiber, "route replace 198.18.8.2/32 via 198.18.0.2")) // its device is another one now
	config := bytes.ReplaceAll(acmeEvery(t, quickEvery(whole)), []byte(`"billing-type": "metered"`), []byte(`"billing-type": "flat"`))
	hub := start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	peersUp(t, branch)
	peersUp(t, hub)
	must(t, w.Carrier(world.ISPFiber, "branch", false))
	alone(t, hub)
	pings := []*world.Proc{ping(t, w, world.Server, "192.168.1.10"), ping(t, w, world.Client, "10.20.0.5")}
	for _, p := range pings {
		more(t, p)
	}
	ids := sessionIDs(t, branch)
	for _, change := range []struct {
		name string
		emulate.Faults
	}{
		{"the NAT forgets", emulate.Faults{Forget: true}},
		{"another public address", emulate.Faults{External: netip.MustParseAddr("198.18.8.2")}},
	} {
		must(t, link.Set(change.Faults))
		for _, p := range pings {
			more(t, p)
		}
		for id := range sessionIDs(t, branch) {
			if !ids[id] {
				t.Errorf("%s: a session ended", change.name)
			}
		}
		until(t, branch, "path up", func(rows []row) bool { return len(only(rows, "status", "up")) == 1 }, "peers")
	}
	until(t, hub, "the other address at the hub", func(rows []row) bool {
		return len(only(rows, "destination", "198.18.8.2")) == 1
	}, "bfd")
}
