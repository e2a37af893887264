package neigh_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"waymark/net/link"
	"waymark/net/neigh"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
)

// A managed neighbour is resolved without traffic, an absent one fails, both
// are known as ours, and released they are gone.
func TestManage(t *testing.T) {
	ns, far := nstest.New(t), nstest.New(t)
	mac := [6]byte{2, 0, 0, 0, 0, 9}
	nstest.Veth(t, netns.End{NS: ns, Name: "v0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")}},
		netns.End{NS: far, Name: "v1", MAC: mac, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")}})
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
		events := make(chan neigh.Change, 64)
		w, err := neigh.Watch(func(e neigh.Change) { events <- e })
		if err != nil {
			return err
		}
		defer w.Close()
		for _, s := range []string{"10.0.0.2", "fd00::2", "10.0.0.3", "10.0.0.2"} {
			if managed, err := neigh.Manage(c, l.Index, netip.MustParseAddr(s)); err != nil || !managed {
				return fmt.Errorf("manage %s: %t, %w", s, managed, err)
			}
		}
		if err := await(events, map[string]neigh.State{"10.0.0.2": neigh.Resolved, "fd00::2": neigh.Resolved, "10.0.0.3": neigh.Failed}, mac); err != nil {
			return err
		}
		if n, err := neigh.Get(c, l.Index, netip.MustParseAddr("10.0.0.2")); err != nil || n.MAC != mac || n.State != neigh.Resolved {
			return fmt.Errorf("get: %+v, %w", n, err)
		}
		return release(c, l.Index)
	})
}

func release(c *rtnl.Conn, index int) error {
	left, err := neigh.Owned(c)
	if err != nil || len(left) != 3 {
		return fmt.Errorf("owned: %+v, %w", left, err)
	}
	for _, n := range left {
		for range 2 {
			if err := neigh.Release(c, n.Index, n.Addr); err != nil {
				return err
			}
		}
	}
	if left, err = neigh.Owned(c); err != nil || len(left) != 0 {
		return fmt.Errorf("owned after release: %+v, %w", left, err)
	}
	return nil
}

// await waits until every address was reported in its wanted state.
func await(events chan neigh.Change, want map[string]neigh.State, mac [6]byte) error {
	timeout := time.After(time.Minute)
	for len(want) > 0 {
		select {
		case e := <-events:
			n := e.Neighbour
			st, ok := want[n.Addr.String()]
			if !ok || st != n.State {
				continue
			}
			if st == neigh.Resolved && n.MAC != mac {
				return fmt.Errorf("got %+v, want MAC %x", n, mac)
			}
			delete(want, n.Addr.String())
		case <-timeout:
			return errors.Join(errors.New("no notification"), fmt.Errorf("waiting for %v", want))
		}
	}
	return nil
}
