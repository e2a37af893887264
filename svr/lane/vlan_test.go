package lane_test

import (
	"strings"
	"testing"

	"waymark/net/netns"
	"waymark/svr/lane"
	"waymark/svr/lane/lanetest"
	"waymark/svr/lane/lanetest/gen"
)

// vlanNet is a Net whose client sits on tag 10 of the router's left port, with
// the router's left addresses only in the lane.
func vlanNet(t *testing.T) (*lanetest.Net, *lane.Hops) {
	n := lanetest.NewNetAddrs(t, netns.End{})
	gen.Tagger(t, n.Client, lanetest.ClientIf, 10)
	guardRouter(t, n)
	hops := n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) {
		l.Interfaces = []lane.Interface{{ID: 1, VLAN: 10, Addrs: prefixes("10.1.0.1/24", "fd01::1/64")}}
	})
	return n, hops
}

// A Linux host behind a tag resolves the router, pings it, and its traffic,
// super-packets included, passes both ways.
func TestVLAN(t *testing.T) {
	n, hops := vlanNet(t)
	for _, to := range []string{"10.1.0.1", "fd01::1", "10.2.0.2", "fd02::2"} {
		ping(t, n.Client, to, 3)
	}
	waitResolved(t, n, hops)
	for _, host := range []string{"10.2.0.2", "fd02::2"} {
		transfer(t, n.Client, n.Server, host, 16<<20, 1<<16)
	}
	for _, host := range []string{"10.1.0.2", "fd01::2"} {
		transfer(t, n.Server, n.Client, host, 16<<20, 1<<16)
	}
	_, left, _ := counters(t, n)
	if left.TxErrors != 0 || left.RxMalformed != 0 || left.TxBytes/left.TxPackets < 500 {
		t.Errorf("left: %+v", left)
	}
}

// Duplicate address detection of a host that takes the router's address fails.
func TestVLANDefendsItsAddress(t *testing.T) {
	n, _ := vlanNet(t)
	run(t, n.Client, "sysctl", "-qw", "net.ipv6.conf."+lanetest.ClientIf+".accept_dad=1",
		"net.ipv6.conf."+lanetest.ClientIf+".dad_transmits=1")
	run(t, n.Client, "ip", "addr", "add", "fd01::1/64", "dev", lanetest.ClientIf)
	eventually(t, n.Lane, "address is marked dadfailed", func() bool {
		return strings.Contains(run(t, n.Client, "ip", "-6", "addr", "show", "dev", lanetest.ClientIf), "dadfailed")
	})
}

// What comes without the tag, or with another one, is not the lane's.
func TestVLANIgnoresOtherTags(t *testing.T) {
	n := lanetest.NewNetAddrs(t, netns.End{})
	gen.Tagger(t, n.Client, lanetest.ClientIf, 11)
	n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) {
		l.Interfaces = []lane.Interface{{ID: 1, VLAN: 10, Addrs: prefixes("10.1.0.1/24", "fd01::1/64")}}
	})
	cmd := []string{"-c", "2", "-i", "0.05", "-W", "1", "10.1.0.1"}
	if out := runFails(t, n.Client, "ping", cmd...); !strings.Contains(out, "100% packet loss") {
		t.Errorf("ping on another tag: %s", out)
	}
	_, left, _ := counters(t, n)
	if left.RxPackets != 0 || left.RxIgnored == 0 || left.TxPackets > 8 {
		t.Errorf("left: %+v", left)
	}
}
