package router

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"waymark/net/addr"
	"waymark/net/deny"
	"waymark/net/guard"
	"waymark/net/link"
	"waymark/net/neigh"
	"waymark/net/route"
	"waymark/net/rtnl"
	"waymark/net/sysctl"
	"waymark/svr/lane/fast"
	"waymark/svr/policy"
)

// kernel keeps what the router needs of the namespace's Linux kernel true:
// parameters, guard, links, addresses, routes. Used by one goroutine.
type kernel struct {
	conn   *rtnl.Conn
	tables *policy.Tables
	state  *state
	sysctl string // its state file
	log    *slog.Logger
	dhcp   *dhcpClients
	pppoe  *dialers

	guarded guard.Config // as applied last
	devices []link.Link  // that guard and parameters were applied to
	seen    map[int]bool // devices by index that were brought up or found up
}

func openKernel(set *Settings, t *policy.Tables) (*kernel, error) {
	st, err := loadState(set.RunDir)
	if err != nil {
		return nil, err
	}
	c, err := rtnl.Dial()
	if err != nil {
		return nil, err
	}
	k := &kernel{conn: c, tables: t, state: st, sysctl: filepath.Join(set.RunDir, SysctlFile), log: set.Log,
		seen: map[int]bool{}, dhcp: newDHCPClients(set, t)}
	k.pppoe = newDialers(set, t, k.dhcp)
	if err := k.forgetNeighbours(); err != nil {
		c.Close()
		return nil, err
	}
	return k, nil
}

// forgetNeighbours removes the managed neighbours that a killed router left.
func (k *kernel) forgetNeighbours() error {
	list, err := neigh.Owned(k.conn)
	if err != nil {
		return err
	}
	for _, n := range list {
		if err := neigh.Release(k.conn, n.Index, n.Addr); err != nil && !rtnl.IsGone(err) {
			return err
		}
	}
	return nil
}

// apply brings the kernel to what the configuration wants, as far as the
// devices are there, and returns a fresh view. Applied twice it changes nothing.
//
// The guard comes before the addresses: with an address but no guard the kernel
// would answer packets of live sessions with resets.
func (k *kernel) apply() (*view, error) {
	v, err := k.look()
	if err != nil {
		return nil, err
	}
	if err := k.applyDevices(v); err != nil {
		return nil, err
	}
	if k.bringUp(v) {
		if v, err = k.look(); err != nil {
			return nil, err
		}
	}
	if err := k.applyGuard(v); err != nil {
		return nil, err
	}
	plan, err := addr.Apply(k.conn, wantAddresses(k.tables, v))
	if err != nil {
		return nil, err
	}
	if !plan.Empty() {
		k.log.Info("addresses changed", "added", len(plan.Add), "removed", len(plan.Remove))
		if v, err = k.look(); err != nil {
			return nil, err
		}
	}
	if _, err := route.Apply(k.conn, wantRoutes(k.tables, v)); err != nil {
		k.log.Warn("cannot set default route", "error", err) // own traffic only
	}
	return v, nil
}

// applyDevices sets the kernel parameters when the devices changed.
func (k *kernel) applyDevices(v *view) error {
	devices := v.devices(k.tables)
	same := slices.EqualFunc(devices, k.devices, func(a, b link.Link) bool {
		return a.Name == b.Name && a.Index == b.Index
	})
	if same && k.devices != nil {
		return nil
	}
	if err := sysctl.Apply(k.sysctl, wantSysctls(k.tables, v)); err != nil {
		return err
	}
	k.devices = append([]link.Link{}, devices...)
	k.guarded.Owner = "" // chains went away with their device
	return nil
}

// bringUp sets devices up that are down when we see them for the first time;
// whoever sets one down later means it. It tells whether there were any.
func (k *kernel) bringUp(v *view) (changed bool) {
	for _, l := range v.devices(k.tables) {
		if isSession(k.tables, l.Name) {
			continue // up while it carries packets
		}
		known := k.seen[l.Index]
		k.seen[l.Index] = true
		if l.Up || known {
			continue
		}
		err := k.state.noteUp(l.Name)
		if err == nil {
			err = link.SetUp(k.conn, l.Index, true)
		}
		if err != nil {
			k.log.Warn("cannot bring interface up", "interface", l.Name, "error", err)
			continue
		}
		changed = true
	}
	return changed
}

// applyGuard replaces the nftables rules when they are to change.
func (k *kernel) applyGuard(v *view) error {
	want := wantGuard(k.tables, v)
	if sameGuard(want, k.guarded) {
		return nil
	}
	if err := guard.Apply(want); err != nil {
		return err
	}
	k.guarded = want
	return deny.Open(guardOwner, wantOpenings(k.tables))
}

func sameGuard(a, b guard.Config) bool {
	return a.Owner == b.Owner && slices.Equal(a.Devices, b.Devices) && slices.Equal(a.Clients, b.Clients) &&
		slices.EqualFunc(a.Addrs, b.Addrs, func(x, y guard.Address) bool {
			return x.Addr == y.Addr && slices.Equal(x.Ports, y.Ports)
		})
}

// undo removes what this router made and puts back what it changed: addresses
// first, so that nothing answers for them when the guard goes.
func (k *kernel) undo() error {
	k.pppoe.close() // while their lines are up: the other ends are told
	_, errRoute := route.Apply(k.conn, nil)
	_, errAddr := addr.Apply(k.conn, nil)
	return errors.Join(errRoute, errAddr, deny.Open(guardOwner, nil), guard.Remove(guardOwner), k.stripTags(), k.linksDown(),
		sysctl.Restore(k.sysctl), k.state.remove())
}

func (k *kernel) linksDown() error {
	var errs []error
	for _, name := range k.state.LinksUp {
		l, err := link.ByName(k.conn, name)
		if errors.Is(err, link.ErrNotFound) {
			continue
		}
		if err == nil {
			err = link.SetUp(k.conn, l.Index, false)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("set %s down again: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// keepTags lets XDP see the VLAN tags of a device's frames.
func (k *kernel) keepTags(name string) error {
	strips, err := fast.StripsTags(name)
	if err != nil || !strips {
		return err
	}
	if err := k.state.noteTags(name); err != nil {
		return err
	}
	return fast.SetStripTags(name, false)
}

// stripTags undoes it.
func (k *kernel) stripTags() error {
	var errs []error
	for _, name := range k.state.Tags {
		if _, err := link.ByName(k.conn, name); err == nil {
			errs = append(errs, fast.SetStripTags(name, true))
		}
	}
	return errors.Join(errs...)
}

func (k *kernel) close() error {
	k.pppoe.close()
	k.dhcp.close()
	return k.conn.Close()
}
