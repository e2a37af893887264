package router

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"waymark/svr/lane/fast"
	"waymark/svr/path"
	"waymark/svr/policy"
)

// TestOlderLaneTime: sessions of another layout end when their time is over, counted
// from when they came behind our lane, or when none had a packet for the idle time,
// counted from this process's first look.
func TestOlderLaneTime(t *testing.T) {
	const limit, idle = time.Hour, 30 * time.Minute
	type look struct {
		at        time.Duration
		forwarded uint64
		why       string
	}
	for name, c := range map[string]struct {
		began time.Duration // of the process
		looks []look
	}{
		"busy":          {0, []look{{time.Minute, 8, ""}, {59 * time.Minute, 9, ""}, {limit - 1, 10, ""}, {limit, 11, "their time is over"}}},
		"silent":        {0, []look{{time.Minute, 7, ""}, {idle - 1, 7, ""}, {idle, 7, "none has traffic any more"}}},
		"silent later":  {0, []look{{20 * time.Minute, 8, ""}, {20*time.Minute + idle - 1, 8, ""}, {20*time.Minute + idle, 8, "none has traffic any more"}}},
		"started again": {50 * time.Minute, []look{{50 * time.Minute, 7, ""}, {limit - 1, 7, ""}, {limit, 7, "their time is over"}}},
		"both":          {0, []look{{limit, 7, "their time is over"}}},
	} {
		t.Run(name, func(t *testing.T) {
			const boot = int64(7e15)
			o := newOlderLane(fast.Older{Lanes: 1, Since: boot, Forwarded: 7}, boot+int64(c.began), limit, idle, &policy.Tables{})
			for _, l := range c.looks {
				if why := o.look(boot+int64(l.at), l.forwarded); why != l.why {
					t.Errorf("after %v: %q, want %q", l.at, why, l.why)
				}
			}
		})
	}
}

// TestOlderLaneNetwork: they end when the network changes under them, and not because
// it shows by and by after a start what it is like.
func TestOlderLaneNetwork(t *testing.T) {
	up, down := path.Status{Up: true}, path.Status{}
	pending := path.Status{Pending: true}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for name, c := range map[string]struct {
		paths []path.Status
		addrs [][]netip.Addr
		why   string
	}{
		"a path comes up":           {[]path.Status{down, pending, up, up}, nil, ""},
		"a path stays down":         {[]path.Status{down, down}, nil, ""},
		"the peer restarts":         {[]path.Status{up, pending, up}, nil, ""},
		"a path goes down":          {[]path.Status{up, down}, nil, "a path went down"},
		"a path goes down at last":  {[]path.Status{up, pending, down}, nil, "a path went down"},
		"addresses show":            {nil, [][]netip.Addr{nil, {a}, {a, b}, {b, a}}, ""},
		"an address goes":           {nil, [][]netip.Addr{{a, b}, {b}}, "an address changed"},
		"an address is another one": {nil, [][]netip.Addr{{a}, {b}}, "an address changed"},
		"all addresses go":          {nil, [][]netip.Addr{{a}, nil}, "an address changed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOlderLane(fast.Older{}, 0, 0, 0, &policy.Tables{Paths: make([]policy.Path, 1), Interfaces: make([]policy.Interface, 1)})
			var said []string
			for _, s := range c.paths {
				said = append(said, o.path(0, s))
			}
			for _, s := range c.addrs {
				said = append(said, o.addresses(0, s))
			}
			for i, why := range said {
				if want := strings.Repeat(c.why, i/max(len(said)-1, 1)); why != want {
					t.Errorf("step %d: %q, want %q", i, why, want)
				}
			}
		})
	}
}
