package host

import (
	"net/netip"
	"slices"
	"testing"

	"waymark/net/dhcp4"
	"waymark/net/route"
	"waymark/net/rule"
	"waymark/svr/policy"
)

// twoWANs is the branch with a lease beside its fiber.
func twoWANs(t *testing.T) (*policy.Tables, *View) {
	tables, v := acme(t, "branch1"), branchView()
	v.Addrs, v.defaults = nil, nil
	f := find(t, tables, "lte")
	v.Leases = map[policy.IfID]*dhcp4.Lease{f.ID: {Address: prefix("100.64.0.33/24"), Gateway: address("100.65.0.1"),
		Server: address("100.64.0.1"), DNS: []netip.Addr{address("9.9.9.9")}, Domain: "isp.example", NTP: []netip.Addr{address("100.64.0.7")},
		Routes: []dhcp4.Route{{Dst: prefix("10.9.0.0/16"), Gateway: address("100.64.0.8")}}}}
	return tables, v
}

func TestWantRules(t *testing.T) {
	tables, v := twoWANs(t)
	fiber, lte := sourceTables+uint32(find(t, tables, "fiber").ID), sourceTables+uint32(find(t, tables, "lte").ID)
	want := []rule.Rule{{Source: prefix("203.0.113.2/32"), Table: fiber, Priority: fiber}, {Source: prefix("100.64.0.33/32"), Table: lte, Priority: lte}}
	if got := wantRules(tables, v); !slices.Equal(got, want) {
		t.Errorf("rules %+v, want %+v", got, want)
	}
	routes := []route.Route{
		{Dst: prefix("203.0.113.0/24"), Index: 3, Table: fiber},
		{Dst: prefix("0.0.0.0/0"), Gateway: address("203.0.113.1"), Index: 3, Table: fiber},
		{Dst: prefix("192.168.1.0/24"), Index: 2, Table: fiber}, {Dst: prefix("fd00:1::/64"), Index: 2, Table: fiber},
		{Dst: prefix("100.64.0.0/24"), Index: 4, Table: lte},
		{Dst: prefix("100.65.0.1/32"), Index: 4, Table: lte},
		{Dst: prefix("0.0.0.0/0"), Gateway: address("100.65.0.1"), Index: 4, Table: lte},
		{Dst: prefix("10.9.0.0/16"), Gateway: address("100.64.0.8"), Index: 4, Table: lte},
		{Dst: prefix("192.168.1.0/24"), Index: 2, Table: lte}, {Dst: prefix("fd00:1::/64"), Index: 2, Table: lte},
	}
	if got := sourceRoutes(tables, v); !slices.Equal(got, routes) {
		t.Errorf("routes\n%+v, want\n%+v", got, routes)
	}
}

func TestWANNames(t *testing.T) {
	for _, tt := range []struct {
		what       string
		change     func(*policy.Tables, *View)
		wans       []string
		upstreams  []string
		timeServer string // of the last WAN
	}{
		{"both", func(*policy.Tables, *View) {}, []string{"fiber", "lte"}, []string{"9.9.9.9 lte"}, "100.64.0.7"},
		{"configured", func(t *policy.Tables, _ *View) {
			t.Resolvers = []netip.Addr{address("1.1.1.1"), address("2001:db8::53")}
		},
			[]string{"fiber", "lte"}, []string{"1.1.1.1 fiber", "1.1.1.1 lte"}, "100.64.0.7"},
		{"fiber away", func(_ *policy.Tables, v *View) { delete(v.Links, "wan0") }, []string{"lte"}, []string{"9.9.9.9 lte"}, "100.64.0.7"},
		{"on a tag", func(p *policy.Tables, _ *View) { find(t, p, "fiber").VLAN = 3 }, []string{"lte"}, []string{"9.9.9.9 lte"}, "100.64.0.7"},
		{"no lease", func(_ *policy.Tables, v *View) { v.Leases = nil }, []string{"fiber"}, nil, ""},
	} {
		tables, v := twoWANs(t)
		tt.change(tables, v)
		f := WANNames(tables, v)
		var got, ups []string
		for _, w := range f.WANs {
			got = append(got, w.Interface)
		}
		for _, u := range f.Upstreams() {
			ups = append(ups, u.Server.String()+" "+u.WAN)
		}
		last := f.WANs[len(f.WANs)-1].TimeServers
		if !slices.Equal(got, tt.wans) || !slices.Equal(ups, tt.upstreams) || (len(last) == 1) != (tt.timeServer != "") {
			t.Errorf("%s: %+v", tt.what, f)
		}
	}
}
