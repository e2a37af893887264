package router_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"waymark/cmd/lab/world"
)

// tree is a configuration to change.
type tree = map[string]any

// acmeWith is the example, with leaves added to every neighborhood.
func acmeWith(t *testing.T, leaves tree, change func(ifc tree)) []byte {
	t.Helper()
	var c tree
	if err := json.Unmarshal(world.Acme(), &c); err != nil {
		t.Fatal(err)
	}
	each := func(at any, key string, f func(tree)) {
		list, _ := at.(tree)[key].([]any)
		for _, e := range list {
			f(e.(tree))
		}
	}
	each(c["authority"], "router", func(r tree) {
		each(r, "node", func(n tree) {
			each(n, "device-interface", func(d tree) {
				each(d, "network-interface", func(f tree) {
					each(f, "neighborhood", func(h tree) {
						for k, v := range leaves {
							h[k] = v
						}
					})
					if change != nil {
						change(f)
					}
				})
			})
		})
	})
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// waypoints6 gives fiber and hub IPv6 waypoints.
func waypoints6(ifc tree) {
	switch ifc["name"] {
	case "fiber":
		ifc["address"] = []any{tree{"ip-address": "2001:db8:f::2", "prefix-length": 64, "gateway": "2001:db8:f::1"}}
	case "wan":
		ifc["address"] = []any{tree{"ip-address": "2001:db8:e::2", "prefix-length": 64, "gateway": "2001:db8:e::1"}}
	}
}

// fits waits until a router's path over an interface has a path MTU.
func fits(t *testing.T, r *world.Router, ifc string, mtu int) {
	t.Helper()
	until(t, r, fmt.Sprintf("path MTU %d on %s", mtu, ifc), func(rows []row) bool {
		p := only(rows, "network-interface", ifc)
		return len(p) > 0 && p[0]["path-mtu"] == float64(mtu)
	}, "peers", "detail")
}

// A router in between takes less than the devices, and says so or does not; then
// more again. Both ends find it in their direction, over IPv4 and IPv6.
func TestSoakPathMTU(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, icmp := range []bool{true, false} {
			if !whole && v6 == icmp {
				continue
			}
			t.Run(fmt.Sprintf("IPv6 %v, ICMP %v", v6, icmp), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, world.Options{NoLTE: v6})
				change := func(tree) {}
				if v6 {
					change = waypoints6
					must(t, w.IP(world.ISPFiber, "address add 2001:db8:f::1/64 dev branch nodad", "address add 2001:db8:e::1/64 dev hub nodad"))
					must(t, w.SetSysctls(world.ISPFiber, "net/ipv6/conf/all/forwarding=1"))
				}
				if !icmp {
					nft(t, w, world.ISPFiber, "table inet mute { chain o { type filter hook output priority 0; policy accept; "+
						"icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }")
				}
				config := acmeWith(t, tree{"path-mtu-discovery": tree{"enabled": true, "interval": 1}}, change)
				hub := start(t, w, "hub1", world.Hub, config)
				branch := start(t, w, "branch1", world.Branch, config)
				fits(t, branch, "fiber", 1500)
				fits(t, hub, "wan", 1500)
				for _, mtu := range []int{1400, 1300, 1452, 1500} {
					must(t, w.IP(world.ISPFiber, fmt.Sprintf("link set dev hub mtu %d", mtu)))
					fits(t, branch, "fiber", mtu)
					fits(t, hub, "wan", min(mtu+4, 1500)) // what a veth takes in: room for a tag
				}
			})
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
