package policy_test

import (
	"net/netip"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

// ways is a service with five local next-hops: interfaces v0 to v4, each in a
// neighborhood with the vector of its name.
func ways(strategy string, vectors ...config.Vector) *config.Authority {
	s := svc("s", config.ScopePublic, "0.0.0.0/0")
	s.ServicePolicy = "p"
	a := minimal(s)
	a.ServicePolicies = []config.ServicePolicy{{Name: "p", LBStrategy: strategy, Vectors: vectors}}
	dev := &a.Routers[0].Nodes[0].Devices[0]
	dev.Interfaces = nil
	r := &a.Routers[0].ServiceRoutes[0]
	r.NextHops = []config.NextHop{{Node: "other", Interface: "v9"}}
	for _, v := range []string{"v0", "v1", "v2", "v3", "v4"} {
		h := config.Neighborhood{Name: v}
		h.Vectors = []string{v}
		dev.Interfaces = append(dev.Interfaces, config.NetworkInterface{Name: v,
			Neighborhoods: []config.Neighborhood{h}})
		r.NextHops = append(r.NextHops, config.NextHop{Node: "n", Interface: v})
	}
	return a
}

func noPath(policy.PathID) bool { return false }

// upSet makes ifUp of a bit per interface.
func upSet(bits uint) func(policy.IfID) bool {
	return func(i policy.IfID) bool { return bits>>i&1 == 1 }
}

func TestHunt(t *testing.T) {
	b := build(t, ways("hunt", config.Vector{Name: "v3", Cost: 10}, config.Vector{Name: "v1", Cost: 100},
		config.Vector{Name: "v0", Never: true}, config.Vector{Name: "v2", Cost: 10}), "r")
	for _, tc := range []struct {
		up   uint
		want int // interface, -1 = none
		cost uint32
	}{
		{0b11111, 2, 10}, // equal costs: the order of the next-hops
		{0b11011, 3, 10},
		{0b10011, 1, 100},
		{0b10001, 4, 0}, // not named: last
		{0b00001, -1, 0},
		{0, -1, 0},
	} {
		for pick := range uint32(4) {
			c, ok := b.Choose(0, noPath, upSet(tc.up), pick)
			if ok != (tc.want >= 0) || ok && (int(c.If) != tc.want || c.Cost != tc.cost || c.Path != policy.NoPath) {
				t.Errorf("up %05b: got %+v %v, want interface %d at %d", tc.up, c, ok, tc.want, tc.cost)
			}
		}
	}
}

func TestProportional(t *testing.T) {
	b := build(t, ways("proportional", config.Vector{Name: "v3", Cost: 1}, config.Vector{Name: "v1", Cost: 10},
		config.Vector{Name: "v0", Never: true}), "r")
	for _, tc := range []struct {
		up   uint
		want [5]int // how often of 100 picks
	}{
		{0b11111, [5]int{0, 50, 0, 50, 0}},
		{0b10111, [5]int{0, 100, 0, 0, 0}},
		{0b10101, [5]int{0, 0, 50, 0, 50}},
	} {
		var got [5]int
		for pick := range uint32(100) {
			if c, ok := b.Choose(0, noPath, upSet(tc.up), pick); ok {
				got[c.If]++
			}
		}
		if got != tc.want {
			t.Errorf("up %05b: got %v, want %v", tc.up, got, tc.want)
		}
	}
	if c, ok := b.Choose(policy.NoService, noPath, upSet(0), 0); ok {
		t.Errorf("no service: got %+v, want none", c)
	}
}

func TestServicePathsShowsNever(t *testing.T) {
	b := build(t, ways("hunt", config.Vector{Name: "v1", Cost: 5}, config.Vector{Name: "v0", Never: true}), "r")
	rows := b.ServicePaths(noPath, upSet(0b11111))
	if len(rows) != 5 {
		t.Fatalf("got %d rows %+v, want 5", len(rows), rows)
	}
	if r := rows[0]; r.If != 1 || r.Vector != "v1" || r.Cost != 5 || !r.Up || r.NotTaken {
		t.Errorf("first: got %+v, want v1 up at 5", r)
	}
	if r := rows[4]; r.If != 0 || r.Up || !r.NotTaken {
		t.Errorf("last: got %+v, want v0 not taken", r)
	}
}

func TestNextHop(t *testing.T) {
	addr := netip.MustParseAddr
	lan := []policy.Address{{Prefix: netip.MustParsePrefix("192.168.1.1/24")},
		{Prefix: netip.MustParsePrefix("fd00:1::1/64"), Gateway: addr("fd00:1::ff")}}
	wan := []policy.Address{{Prefix: netip.MustParsePrefix("203.0.113.2/24"), Gateway: addr("203.0.113.1")}}
	for _, tc := range []struct {
		name         string
		addrs        []policy.Address
		gateway, dst string
		want         string
	}{
		{"on link", lan, "", "192.168.1.9", "192.168.1.9"},
		{"on link IPv6", lan, "", "fd00:1::9", "fd00:1::9"},
		{"gateway of the interface", wan, "", "8.8.8.8", "203.0.113.1"},
		{"gateway of the interface IPv6", lan, "", "fd00:2::9", "fd00:1::ff"},
		{"none", lan, "", "8.8.8.8", ""},
		{"gateway-ip wins", wan, "203.0.113.7", "203.0.113.9", "203.0.113.7"},
		{"gateway-ip of the other family", lan, "192.168.1.7", "fd00:1::9", "fd00:1::9"},
	} {
		var gw netip.Addr
		if tc.gateway != "" {
			gw = addr(tc.gateway)
		}
		got, ok := policy.NextHop(tc.addrs, gw, addr(tc.dst))
		if ok != (tc.want != "") || ok && got != addr(tc.want) {
			t.Errorf("%s: got %v %v, want %q", tc.name, got, ok, tc.want)
		}
	}
}
