package dhcp4_test

import (
	"fmt"
	"net/netip"
	"testing"

	"waymark/net/addr"
	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/route"
	"waymark/net/rtnl"
)

func lease(address, gateway string, routes ...dhcp4.Route) *dhcp4.Lease {
	l := &dhcp4.Lease{Address: netip.MustParsePrefix(address), Routes: routes}
	if gateway != "" {
		l.Gateway = netip.MustParseAddr(gateway)
	}
	return l
}

// The kernel takes what leases of all sorts want; applied twice it is a no-op,
// and without lease nothing is left.
func TestPlansOfLeases(t *testing.T) {
	via := dhcp4.Route{Dst: netip.MustParsePrefix("10.7.0.0/16"), Gateway: netip.MustParseAddr("192.0.2.9")}
	onLink := dhcp4.Route{Dst: netip.MustParsePrefix("10.9.9.9/32")}
	ns, far := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: ns, Name: "c0"}, netns.End{NS: far, Name: "s0"})
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		dev, err := link.ByName(c, "c0")
		if err != nil {
			return err
		}
		for _, tt := range []struct {
			name   string
			l      *dhcp4.Lease
			routes int
		}{
			{"gateway in the subnet", lease("192.0.2.100/24", "192.0.2.1"), 1},
			{"gateway outside of it", lease("192.0.2.100/32", "198.51.100.1"), 2},
			{"gateway by a route on link", lease("192.0.2.100/32", "10.9.9.9", onLink), 2},
			{"no gateway", lease("192.0.2.100/24", ""), 0},
			{"more routes", lease("192.0.2.100/24", "192.0.2.1", via, onLink), 3},
			{"none", nil, 0},
		} {
			routes := append(tt.l.DefaultRoutes(dev.Index, 200), tt.l.StaticRoutes(dev.Index, 200)...)
			for i := range 2 {
				a, err := addr.Apply(c, tt.l.Addresses(dev.Index))
				if err != nil {
					return fmt.Errorf("%s: %w", tt.name, err)
				}
				r, err := route.Apply(c, routes)
				if err != nil {
					return fmt.Errorf("%s: %w", tt.name, err)
				}
				if i == 1 && (!a.Empty() || !r.Empty()) {
					return fmt.Errorf("%s: the second time: %+v, %+v", tt.name, a, r)
				}
			}
			have, err := route.List(c)
			if err != nil || len(have) != tt.routes {
				return fmt.Errorf("%s: routes %v, %w", tt.name, have, err)
			}
		}
		return nil
	})
	if got := lease("192.0.2.1/24", "").LimitMTU(1500); got != 1500 {
		t.Errorf("without MTU: %d", got)
	}
}
