package router

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"waymark/net/resolve"
)

// Whom the box asks for the time: the configured servers; those that networks
// told only if it sets the clock.
func TestTimeServers(t *testing.T) {
	file := &resolve.File{WANs: []resolve.WAN{{TimeServers: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}},
		{TimeServers: []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("192.0.2.5")}}}}
	for _, tt := range []struct {
		configured []string
		set        bool
		want       string
	}{
		{nil, false, "[]"}, {nil, true, "[192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4]"},
		{[]string{"a.example"}, false, "[a.example]"}, {[]string{"a.example"}, true, "[a.example]"},
	} {
		tables := acme(t, "branch1")
		tables.TimeServers = tt.configured
		r := &Router{tables: tables, soft: tables, set: &Settings{SetClock: tt.set}}
		if got := fmt.Sprint(r.timeServers(file)); got != tt.want {
			t.Errorf("configured %v, sets %t: %s, want %s", tt.configured, tt.set, got, tt.want)
		}
	}
}

func TestClockFloor(t *testing.T) {
	defer func(b string) { Built = b }(Built)
	for built, want := range map[string]time.Time{"": oldest, "yesterday": oldest, "2027-03-04T05:06:07Z": time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)} {
		if Built = built; !clockFloor().Equal(want) {
			t.Errorf("built %q: %v, want %v", built, clockFloor(), want)
		}
	}
}

// A router without -set-clock has no hand on the clock.
func TestClockIsWatchedOnly(t *testing.T) {
	for _, set := range []bool{false, true} {
		c := newClock(&Settings{SetClock: set}, resolve.NewClient(), slog.Default(), nil)
		if c.Sets() != set {
			t.Errorf("-set-clock %t: sets the clock %t", set, c.Sets())
		}
	}
}
