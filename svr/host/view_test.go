package host

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"waymark/mgmt/config"
	"waymark/net/addr"
	"waymark/net/guard"
	"waymark/net/link"
	"waymark/net/route"
	"waymark/svr/policy"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func address(s string) netip.Addr { return netip.MustParseAddr(s) }

// acme compiles the example configuration for one router.
func acme(t testing.TB, router string) *policy.Tables {
	t.Helper()
	data, err := os.ReadFile("../router/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	auth, findings := config.Parse(data)
	if findings.Failed() {
		t.Fatal(findings)
	}
	tables, err := policy.Build(auth, router, "")
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// branchView is a kernel with all devices of branch1, the LTE one leased.
func branchView() *View {
	up := func(index int, name string) link.Link {
		return link.Link{Index: index, Name: name, Type: 1, MTU: 1500, Up: true, Carrier: true, Oper: link.OperUp}
	}
	return &View{
		Links: map[string]link.Link{"lan0": up(2, "lan0"), "wan0": up(3, "wan0"), "wan1": up(4, "wan1"), "other": up(5, "other")},
		Addrs: map[int][]netip.Prefix{4: {prefix("100.64.0.10/24"), prefix("fe80::1/64"), prefix("169.254.3.4/16")}},
		defaults: []route.Route{
			{Dst: prefix("0.0.0.0/0"), Gateway: address("100.64.0.9"), Index: 4, Metric: 700},
			{Dst: prefix("0.0.0.0/0"), Gateway: address("100.64.0.1"), Index: 4, Metric: 500},
		},
	}
}

func find(t *testing.T, tables *policy.Tables, name string) *policy.Interface {
	t.Helper()
	for i := range tables.Interfaces {
		if tables.Interfaces[i].Name == name {
			return &tables.Interfaces[i]
		}
	}
	t.Fatalf("no interface %s", name)
	return nil
}

func TestState(t *testing.T) {
	tables := acme(t, "branch1")
	for _, row := range []struct {
		what, ifc string
		change    func(v *View, f *policy.Interface)
		reason    string // empty: up
		mtu       int
	}{
		{"all there", "fiber", func(*View, *policy.Interface) {}, "", 1500},
		{"leased", "lte", func(*View, *policy.Interface) {}, "", 1500},
		{"no device", "fiber", func(v *View, _ *policy.Interface) { delete(v.Links, "wan0") }, "no-device", 0},
		{"no carrier", "fiber", func(v *View, _ *policy.Interface) {
			l := v.Links["wan0"]
			l.Carrier = false
			v.Links["wan0"] = l
		}, "no-carrier", 1500},
		{"set down", "lan", func(v *View, _ *policy.Interface) {
			l := v.Links["lan0"]
			l.Up = false
			v.Links["lan0"] = l
		}, "no-carrier", 1500},
		{"no lease", "lte", func(v *View, _ *policy.Interface) { v.Addrs = nil }, "no-address", 1500},
		{"small device", "lan", func(v *View, _ *policy.Interface) {
			l := v.Links["lan0"]
			l.MTU = 1400
			v.Links["lan0"] = l
		}, "", 1400},
		{"switched off", "fiber", func(_ *View, f *policy.Interface) { f.Enabled = false }, "admin", 1500},
	} {
		v, f := branchView(), *find(t, tables, row.ifc)
		row.change(v, &f)
		got := v.State(&f)
		if got.Up != (row.reason == "") || got.Reason != row.reason || got.MTU != row.mtu {
			t.Errorf("%s: got %+v, want reason %q, mtu %d", row.what, got, row.reason, row.mtu)
		}
	}
}

func TestLeaseTakesTheBestGateway(t *testing.T) {
	got := branchView().State(find(t, acme(t, "branch1"), "lte")).Addrs
	want := []policy.Address{{Prefix: prefix("100.64.0.10/24"), Gateway: address("100.64.0.1"), Waypoint: true}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWantAddresses(t *testing.T) {
	tables, v := acme(t, "branch1"), branchView()
	got := wantAddresses(tables, v)
	want := []addr.Address{
		{Index: 2, Prefix: prefix("192.168.1.1/24")}, {Index: 2, Prefix: prefix("fd00:1::1/64")},
		{Index: 3, Prefix: prefix("203.0.113.2/24")},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// The router tags a VLAN by itself: the kernel has no address for it.
	find(t, tables, "lan").VLAN = 7
	delete(v.Links, "wan0")
	if got := wantAddresses(tables, v); len(got) != 0 {
		t.Errorf("tagged, and without device: got %+v, want none", got)
	}
}

func TestWantRoutes(t *testing.T) {
	tables, v := acme(t, "branch1"), branchView()
	want := []route.Route{{Dst: prefix("0.0.0.0/0"), Gateway: address("203.0.113.1"), Index: 3, Metric: routeMetric}}
	if got := wantRoutes(tables, v); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	l := v.Links["wan0"]
	l.Carrier = false
	v.Links["wan0"] = l
	if got := wantRoutes(tables, v); len(got) != 0 {
		t.Errorf("without carrier: got %+v, want none", got)
	}
}

func TestWantGuard(t *testing.T) {
	nat, way := guard.Range{First: 2048, Last: 9999}, guard.Range{First: 16385, Last: 65533}
	for router, want := range map[string]map[string][]guard.Range{
		"branch1": {"192.168.1.1": nil, "fd00:1::1": nil, "203.0.113.2": {nat, way}, "100.64.0.10": {nat, way}},
		"hub1":    {"10.20.0.1": nil, "fd00:20::1": nil, "198.51.100.2": {{First: 20000, Last: 20999}, way}},
	} {
		c := wantGuard(acme(t, router), branchView())
		if len(c.Addrs) != len(want) {
			t.Errorf("%s: %d addresses, want %d", router, len(c.Addrs), len(want))
		}
		for _, a := range c.Addrs {
			if !slices.Equal(a.Ports, want[a.Addr.String()]) {
				t.Errorf("%s: ports of %s: got %v, want %v", router, a.Addr, a.Ports, want[a.Addr.String()])
			}
		}
	}
}

func TestReservedPorts(t *testing.T) {
	tables := acme(t, "hub1")
	if got := reservedPorts(tables); len(got) != 0 {
		t.Errorf("range outside the box's own ports: got %v", got)
	}
	tables.Paths[0].LocalPorts = []policy.PortRange{{First: 16000, Last: 17000}}
	if got := reservedPorts(tables); len(got) != 1 || got[0].First != 16000 || got[0].Last != 16383 {
		t.Errorf("got %v, want 16000-16383", got)
	}
}
