package route_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/route"
	"waymark/net/rtnl"
)

func r(dst, gw string, index int, metric uint32) route.Route {
	out := route.Route{Dst: netip.MustParsePrefix(dst), Index: index, Metric: metric}
	if gw != "" {
		out.Gateway = netip.MustParseAddr(gw)
	}
	return out
}

func inTable(n uint32, r route.Route) route.Route { r.Table = n; return r }

func TestMakePlan(t *testing.T) {
	for _, tt := range []struct {
		name       string
		ours, want []route.Route
		plan       route.Plan
	}{
		{"nothing", nil, nil, route.Plan{}},
		{"new, twice wanted, not masked", nil, []route.Route{r("10.1.2.3/8", "10.0.0.1", 2, 0), r("10.0.0.0/8", "10.0.0.1", 2, 0)},
			route.Plan{Add: []route.Route{r("10.0.0.0/8", "10.0.0.1", 2, 0)}}},
		{"IPv6 default metric", []route.Route{r("::/0", "fd00::1", 2, 1024)}, []route.Route{r("::/0", "fd00::1", 2, 0)}, route.Plan{}},
		{"other gateway", []route.Route{r("0.0.0.0/0", "10.0.0.1", 2, 0)}, []route.Route{r("0.0.0.0/0", "10.0.0.2", 2, 0)},
			route.Plan{Remove: []route.Route{r("0.0.0.0/0", "10.0.0.1", 2, 0)}, Add: []route.Route{r("0.0.0.0/0", "10.0.0.2", 2, 0)}}},
	} {
		if got := route.MakePlan(tt.ours, tt.want); !reflect.DeepEqual(got, tt.plan) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.plan)
		}
	}
}

// Apply makes and unmakes our routes, twice changes nothing, and routes of
// others to the same destination stay.
func TestApply(t *testing.T) {
	ns, far := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: ns, Name: "v0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")}},
		netns.End{NS: far, Name: "v1"})
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := link.ByName(c, "v0")
		if err != nil {
			return err
		}
		i := l.Index
		for _, want := range [][]route.Route{
			{r("0.0.0.0/0", "10.0.0.1", i, 0), r("::/0", "fd00::1", i, 0)},
			{r("0.0.0.0/0", "10.0.0.1", i, 100), r("0.0.0.0/0", "10.0.0.3", i, 200), r("198.51.100.0/24", "", i, 0),
				{Dst: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("10.0.0.1"), Index: i, Source: netip.MustParseAddr("10.0.0.2")}},
			{inTable(22272, r("10.0.0.0/24", "", i, 0)), inTable(22272, r("0.0.0.0/0", "10.0.0.1", i, 0)), inTable(100, r("::/0", "fd00::1", i, 0)), r("0.0.0.0/0", "10.0.0.1", i, 0)},
			{r("fd09::/16", "", i, 7)},
			nil,
		} {
			if _, err := route.Apply(c, want); err != nil {
				return err
			}
			p, err := route.Apply(c, want)
			if err != nil || !p.Empty() {
				return fmt.Errorf("second apply of %+v: %+v, %w", want, p, err)
			}
			got, err := route.List(c)
			if err != nil || len(got) != len(want) {
				return fmt.Errorf("got %+v, %w, want %+v", got, err, want)
			}
		}
		return nil
	})
}
