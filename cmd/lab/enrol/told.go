package enrol

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"waymark/cmd/lab/world"
)

// How fast the hub must follow: a branch on a processor of its own, and one that is
// emulated beside other work.
const (
	Hears    = 2 * time.Second
	Emulated = 4 * Hears
)

// AlarmRaised pulls the cable of the way out and waits until the conductor shows
// an alarm about it; before, it shows none.
func (s *Scene) AlarmRaised(ctx context.Context) (string, error) {
	if _, err := s.AlarmCleared(ctx); err != nil {
		return "", err
	}
	if err := s.Branch.Plug(ctx, s.WAN.Port, false); err != nil {
		return "", err
	}
	cut := time.Now()
	var list []Alarm
	err := until(ctx, "an alarm of the branch at the conductor", func() (_ bool, err error) {
		list, err = s.wanAlarms(ctx)
		return len(list) > 0, err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s cut: %.1f s later the conductor shows %s: %s", s.WAN.Interface, time.Since(cut).Seconds(), list[0].Severity, list[0].Message), nil
}

// AddressMoves gives the branch another address and plugs the cable in again; the
// hub must have heard of it from the conductor, and must reach the branch there,
// within Follows after the branch uses it.
func (s *Scene) AddressMoves(ctx context.Context) (string, error) {
	if err := s.dhcp.Stop(); err != nil {
		return "", err
	}
	r := s.WAN.Ranges[1]
	var err error
	// The provider forgets its customers: whoever asks for an old address is refused.
	if s.dhcp, err = s.World.ServeDHCP(s.WAN.ISP, r, append(s.WAN.Options, s.option)...); err != nil {
		return "", err
	}
	if err := s.Branch.Plug(ctx, s.WAN.Port, true); err != nil {
		return "", err
	}
	c, err := s.World.Capture(s.WAN.ISP, "branch") // an address is probed for a second before it is used
	if err != nil {
		return "", err
	}
	now, has, err := s.uses(ctx, c, r)
	if err != nil {
		return "", err
	}
	err = world.Until(time.Until(has.Add(s.Follows)), "the hub to follow to "+now.String(), func() (bool, error) { return s.follows(now) })
	if err != nil {
		return "", err
	}
	took := time.Since(has)
	if err := c.Stop(); err != nil {
		return "", err
	}
	what := "knew"
	if !s.WAN.Outbound {
		what = "reached it there"
	}
	return fmt.Sprintf("the branch got %s on %s, the hub %s by dynamic-peer-update %.2f s later (at most %.0f)",
		now, s.WAN.Interface, what, took.Seconds(), s.Follows.Seconds()), nil
}

// uses waits until the branch sends from an address of a range.
func (s *Scene) uses(ctx context.Context, c *world.Capture, r [2]string) (now netip.Addr, at time.Time, err error) {
	first, last := netip.MustParseAddr(r[0]), netip.MustParseAddr(r[1])
	err = until(ctx, "another address", func() (bool, error) {
		frames, err := world.ReadCapture(c.File)
		for _, f := range frames {
			if src, _, ok := f.Addrs(); ok && !src.Less(first) && !last.Less(src) {
				now, at = src, f.Time
				return true, err
			}
		}
		return false, err
	})
	return now, at, err
}

// follows tells whether the hub heard of the branch's address, and reaches it there.
func (s *Scene) follows(now netip.Addr) (bool, error) {
	var told []struct{ Router, Interface, Address string }
	if err := s.Hub.ShowJSON(&told, "dynamic-peer-update"); err != nil {
		return false, err
	}
	heard := false
	for _, r := range told {
		heard = heard || r.Router == branchRouter && r.Interface == s.WAN.Interface && r.Address == now.String()
	}
	if !heard || s.WAN.Outbound {
		return heard, nil
	}
	var peers []struct{ Destination, Status string }
	if err := s.Hub.ShowJSON(&peers, "peers"); err != nil {
		return false, err
	}
	for _, p := range peers {
		if strings.HasPrefix(p.Destination, now.String()) && p.Status == "up" {
			return true, nil
		}
	}
	return false, nil
}

// AlarmCleared waits until the conductor shows no alarm of the branch's ways out.
func (s *Scene) AlarmCleared(ctx context.Context) (string, error) {
	var list []Alarm
	err := until(ctx, "no alarm of the branch at the conductor", func() (_ bool, err error) {
		list, err = s.wanAlarms(ctx)
		return len(list) == 0, err
	})
	if err != nil {
		return "", fmt.Errorf("%w: %+v", err, list)
	}
	return fmt.Sprintf("the conductor shows no alarm of %s any more", branchRouter), nil
}

// HubReaches waits until the hub's paths to the branch are up, the one over the
// way out with the address that its network gave among them.
func (s *Scene) HubReaches(ctx context.Context) (string, error) {
	paths, err := s.hubReaches(ctx, s.WAN.Ranges[0][0])
	return "the hub reaches " + strings.Join(paths, ", "), err
}

// hubReaches waits for it with that address.
func (s *Scene) hubReaches(ctx context.Context, address string) (paths []string, err error) {
	err = until(ctx, "paths of the hub to the branch", func() (bool, error) {
		var rows []struct{ Interface, Destination, Status string }
		if err := s.Hub.ShowJSON(&rows, "peers"); err != nil {
			return false, err
		}
		paths = nil
		found := false
		for _, r := range rows {
			if r.Status != "up" {
				return false, nil
			}
			found = found || strings.HasPrefix(r.Destination, address)
			paths = append(paths, r.Destination+" "+r.Status)
		}
		return found, nil
	})
	return paths, err
}

// lockOutTimer is how many seconds a box has to get through with a configuration
// that cuts it off.
const lockOutTimer = 20

// LockOut commits a configuration that takes all ways out from the branch, after
// AddressMoves. The branch goes back by itself, tells the conductor so, and takes the
// right one, with which the hub reaches it.
func (s *Scene) LockOut(ctx context.Context) (string, error) {
	began := time.Now()
	if err := s.commit(ctx, withoutWays(s.Config), fmt.Sprint(lockOutTimer)); err != nil {
		return "", err
	}
	var row Asset
	err := until(ctx, "the branch to tell that it went back", func() (bool, error) {
		var rows []Asset
		if err := s.Conductor(ctx, &rows, "show", "assets", BranchAsset); err != nil {
			return false, err
		}
		row = rows[0]
		return strings.HasPrefix(row.Errors, "rolled-back: "), nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %+v", err, row)
	}
	back := time.Since(began)
	if err := s.commit(ctx, s.Config); err != nil {
		return "", err
	}
	if _, err := s.await(ctx, "running", BranchAsset, HubAsset); err != nil {
		return "", err
	}
	if _, err := s.hubReaches(ctx, s.WAN.Ranges[1][0]); err != nil {
		return "", err
	}
	return fmt.Sprintf("a configuration without ways out: the box went back by itself (timer %d s) and told so %.1f s after the commit", lockOutTimer, back.Seconds()), nil
}

// withoutWays switches the branch's WAN ports off.
func withoutWays(config []byte) []byte {
	for _, port := range []string{`"name": "fiber", "type"`, `"name": "lte", "type"`} {
		config = bytes.Replace(config, []byte(port), []byte(`"enabled": false, `+port), 1)
	}
	return config
}
