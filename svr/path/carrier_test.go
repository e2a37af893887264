package path_test

import (
	"net/netip"
	"testing"
	"time"

	"waymark/svr/path"
)

var (
	ownA   = netip.MustParseAddr("203.0.113.2")
	ownB   = netip.MustParseAddr("100.64.1.9")
	own6   = netip.MustParseAddr("2001:db8::2")
	linkL  = netip.MustParseAddr("fe80::2")
	remote = netip.MustParseAddr("198.51.100.2")
	none   = netip.Addr{}
)

func twoPaths() *path.Carrier {
	return path.NewCarrier([]path.Setup{
		{ID: 0, If: 1, Local: ownA, Remote: remote},
		{ID: 1, If: 2}, // own address by DHCP, peer's not known
	})
}

func TestCarrierReasons(t *testing.T) {
	for _, tc := range []struct {
		name    string
		setup   path.Setup
		carrier bool
		addrs   []netip.Addr
		reason  string
		local   netip.Addr
	}{
		{"up", path.Setup{Local: ownA, Remote: remote}, true, []netip.Addr{own6, ownA}, "", ownA},
		{"no carrier", path.Setup{Local: ownA, Remote: remote}, false, []netip.Addr{ownA}, path.ReasonNoCarrier, ownA},
		{"own address gone", path.Setup{Local: ownA, Remote: remote}, true, []netip.Addr{ownB}, path.ReasonNoAddress, none},
		{"own address by DHCP", path.Setup{Remote: remote}, true, []netip.Addr{own6, ownB}, "", ownB},
		{"wrong family only", path.Setup{Remote: remote}, true, []netip.Addr{own6}, path.ReasonNoAddress, none},
		{"link-local is no waypoint", path.Setup{Remote: own6}, true, []netip.Addr{linkL}, path.ReasonNoAddress, none},
		{"no peer address", path.Setup{Local: ownA}, true, []netip.Addr{ownA}, path.ReasonNoAddress, ownA},
		{"disabled", path.Setup{Local: ownA, Remote: remote, Disabled: true}, true, []netip.Addr{ownA}, path.ReasonAdmin, ownA},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := path.NewCarrier([]path.Setup{tc.setup})
			c.SetInterface(0, tc.carrier, tc.addrs, 1500)
			got := c.Status(0)
			if got.Reason != tc.reason || got.Up != (tc.reason == "") || got.Local != tc.local {
				t.Errorf("got %+v, want reason %q local %v", got, tc.reason, tc.local)
			}
		})
	}
}

func TestCarrierReportsChangesOnce(t *testing.T) {
	c := twoPaths()
	if got := c.Status(0); got.Up || got.Reason != path.ReasonNoCarrier {
		t.Errorf("before SetInterface: got %+v, want no-carrier", got)
	}
	got := c.SetInterface(1, true, []netip.Addr{ownA}, 1400)
	if len(got) != 1 || got[0].ID != 0 || !got[0].Status.Up || got[0].Status.MTU != 1400 {
		t.Errorf("carrier on: got %+v, want path 0 up with MTU 1400", got)
	}
	if got := c.SetInterface(1, true, []netip.Addr{ownA}, 1400); len(got) != 0 {
		t.Errorf("same again: got %+v, want no change", got)
	}
	got = c.SetInterface(1, false, []netip.Addr{ownA}, 1400)
	if len(got) != 1 || got[0].Status.Up {
		t.Errorf("carrier off: got %+v, want path 0 down", got)
	}
}

func TestCarrierLearnsRemote(t *testing.T) {
	c := twoPaths()
	c.SetInterface(2, true, []netip.Addr{ownB}, 1500)
	if got := c.Status(1).Reason; got != path.ReasonNoAddress {
		t.Errorf("peer unknown: got %q, want %q", got, path.ReasonNoAddress)
	}
	if got := c.SetRemote(1, remote); len(got) != 1 || !got[0].Status.Up || got[0].Status.Local != ownB {
		t.Errorf("peer learned: got %+v, want path 1 up from %v", got, ownB)
	}
	if got := c.SetRemote(1, none); len(got) != 1 || got[0].Status.Up {
		t.Errorf("peer forgotten: got %+v, want path 1 down", got)
	}
}

// BFD has the last word on a path that has carrier and addresses.
func TestCarrierLife(t *testing.T) {
	c := path.NewCarrier([]path.Setup{{ID: 0, If: 1, Local: ownA, Remote: remote, Watched: true}, {ID: 1, If: 1, Local: ownA, Watched: true}})
	c.SetInterface(1, true, []netip.Addr{ownA}, 1500)
	for _, row := range []struct {
		life        path.Life
		up, pending bool
		reason      string
	}{
		{path.Initializing, false, true, path.ReasonInitializing}, {path.NoAnswer, false, false, path.ReasonNoAnswer},
		{path.Alive, true, false, ""}, {path.Restarting, false, true, path.ReasonRestarting},
		{path.Dead, false, false, path.ReasonBFD}, {path.HeldDown, false, false, path.ReasonHoldDown},
	} {
		c.SetLife(0, row.life, none)
		if got := c.Status(0); got.Up != row.up || got.Pending != row.pending || got.Reason != row.reason {
			t.Errorf("%d: got %+v", row.life, got)
		}
	}
	c.SetLife(1, path.Alive, remote) // learned
	if got := c.Status(1); !got.Up || got.Remote != remote {
		t.Errorf("learned: got %+v", got)
	}
	c.SetInterface(1, false, nil, 1500)
	if got := c.Status(1); got.Up || got.Reason != path.ReasonNoCarrier {
		t.Errorf("without carrier: got %+v", got)
	}
	c.SetRTT(0, 30*time.Millisecond, 20*time.Millisecond)
	if got := c.Status(0); got.RTT != 30*time.Millisecond || got.MinRTT != 20*time.Millisecond {
		t.Errorf("got %+v", got)
	}
}

func TestCarrierEnabled(t *testing.T) {
	c := twoPaths()
	c.SetInterface(1, true, []netip.Addr{ownA}, 1500)
	if got := c.SetEnabled(0, false); len(got) != 1 || got[0].Status.Reason != path.ReasonAdmin {
		t.Errorf("disable: got %+v, want path 0 down by admin", got)
	}
	if got := c.SetEnabled(0, true); len(got) != 1 || !got[0].Status.Up {
		t.Errorf("enable: got %+v, want path 0 up", got)
	}
	if got := c.Status(77); got.Up || got.Reason != path.ReasonAdmin {
		t.Errorf("unknown path: got %+v, want down by admin", got)
	}
	if got := c.SetEnabled(77, true); len(got) != 0 {
		t.Errorf("unknown path: got %+v, want no change", got)
	}
}

func TestCarrierRTT(t *testing.T) {
	c := twoPaths()
	c.SetInterface(1, true, []netip.Addr{ownA}, 1500)
	for _, d := range []time.Duration{30, 20, 25, 0} {
		c.ObserveRTT(0, d*time.Millisecond)
	}
	if got := c.Status(0); got.RTT != 25*time.Millisecond || got.MinRTT != 20*time.Millisecond {
		t.Errorf("got RTT %v min %v, want 25ms min 20ms", got.RTT, got.MinRTT)
	}
	if c.SetRemote(0, ownB); c.Status(0).MinRTT != 0 {
		t.Errorf("after the peer moved: got min %v, want 0", c.Status(0).MinRTT)
	}
	c.ObserveRTT(77, time.Second)
}

func TestStatusAllocatesNothing(t *testing.T) {
	var m path.Monitor = twoPaths()
	if got := testing.AllocsPerRun(100, func() { m.Status(0) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
