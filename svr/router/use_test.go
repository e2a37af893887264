package router

import (
	"testing"

	"waymark/svr/pool"
)

// hub1 has two paths to branch1 on one interface.
func TestWayportsOfOneInterface(t *testing.T) {
	r := &Router{tables: acme(t, "hub1")}
	for i, want := range []string{"wayports branch1 wan 203.0.113.2", "wayports branch1 wan unknown"} {
		if got := r.wayportsName(i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, row := range []struct{ first, second, want int }{{95, 10, 95}, {10, 95, 95}, {0, 0, 0}} {
		worst := r.fullest([]pool.PathwayStats{{InUse: row.first, Max: 100, Pairs: 1e6}, {InUse: row.second, Max: 100, Pairs: 1e6}})
		if got := worst[poolName{"branch1", "wan"}]; len(worst) != 1 || got.used != row.want || got.capacity != 100 {
			t.Errorf("%+v: got %+v", row, worst)
		}
	}
	r = &Router{tables: acme(t, "branch1")}
	if got, want := r.wayportsName(1), "wayports hub1 lte"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFuller(t *testing.T) {
	for _, row := range []struct {
		a, b share
		want bool
	}{
		{share{used: 9, capacity: 10}, share{used: 80, capacity: 100}, true},
		{share{used: 80, capacity: 100}, share{used: 9, capacity: 10}, false},
		{share{used: 5, capacity: 10}, share{used: 50, capacity: 100}, false},
	} {
		if got := row.a.fuller(row.b); got != row.want {
			t.Errorf("%+v fuller than %+v: got %v", row.a, row.b, got)
		}
	}
}
