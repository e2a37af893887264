package policy_test

import (
	"fmt"
	"os"
	"strings"
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

// Paths beyond the limits of a policy are left out; best-effort takes one rather
// than none.
func TestPathQualityFilter(t *testing.T) {
	for _, row := range []struct {
		filter, effort bool
		poor           uint // bit per path
		want           int  // path, -1: none
	}{
		{true, true, 0b00, 0}, {true, true, 0b01, 1}, {true, true, 0b10, 0}, {true, true, 0b11, 0},
		{true, false, 0b11, -1}, {true, false, 0b01, 1}, {false, false, 0b11, 0},
	} {
		b := build(t, twoWays(config.BestVector, row.filter, row.effort), "branch1")
		c, ok := b.ChooseBy(0, &policy.Ask{Up: anyPath, IfUp: noIf,
			Poor: func(id policy.PathID, sla int) bool { return b.SLAs[sla].MaxLoss == 2 && row.poor>>id&1 == 1 }})
		if got := int(c.Path); ok != (row.want >= 0) || ok && got != row.want {
			t.Errorf("%+v: got %d %v", row, got, ok)
		}
	}
}

// With best-path average-latency or mos the measurement decides, and vectors
// between equals and where nothing is known.
func TestBestPath(t *testing.T) {
	for _, row := range []struct {
		best   string
		merits [2]int64
		want   policy.PathID
	}{
		{config.BestVector, [2]int64{1, 9}, 0}, {config.BestLatency, [2]int64{1, 9}, 1}, {config.BestMOS, [2]int64{9, 1}, 0},
		{config.BestMOS, [2]int64{5, 5}, 0}, {config.BestMOS, [2]int64{0, 0}, 0}, {config.BestLatency, [2]int64{0, 3}, 1},
	} {
		b := build(t, twoWays(row.best, false, true), "branch1")
		c, ok := b.ChooseBy(0, &policy.Ask{Up: anyPath, IfUp: noIf,
			Merit: func(id policy.PathID, by policy.Best) int64 { return row.merits[id] }})
		if !ok || c.Path != row.want {
			t.Errorf("%+v: got %d", row, c.Path)
		}
	}
}

func anyPath(policy.PathID) bool { return true }
func noIf(policy.IfID) bool      { return false }

// twoWays is the branch of the example, whose services have two paths to the
// hub, fiber before lte.
func twoWays(best string, filter, effort bool) *config.Authority {
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		panic(err)
	}
	text := strings.Replace(string(data), `"max-loss": 2.0,`, fmt.Sprintf(
		`"max-loss": 2.0, "best-path": %q, "path-quality-filter": %v, "best-effort": %v,`, best, filter, effort), 1)
	a, faults := config.Parse([]byte(text))
	if faults.Failed() {
		panic(faults.String())
	}
	return a
}
