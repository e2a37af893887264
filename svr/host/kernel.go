// Package host holds what a router needs of the kernel of its box: a view of links,
// addresses and leases; what they should be like for a configuration, which is pure;
// and a Kernel that makes it so, runs the clients of DHCP and PPPoE that get
// addresses, and undoes all of it.
package host

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
	"waymark/net/rule"
	"waymark/net/sysctl"
	"waymark/net/vlan"
	"waymark/svr/lane/fast"
	"waymark/svr/path/ambient"
	"waymark/svr/policy"
)

// Kernel keeps what the router needs of the namespace's Linux kernel true:
// parameters, guard, links, addresses, routes. Used by one goroutine.
type Kernel struct {
	conn   *rtnl.Conn
	tables *policy.Tables
	made   *changes
	sysctl string // its state file
	log    *slog.Logger
	dhcp   *dhcpClients
	pppoe  *dialers

	// readdressed are addresses that a new configuration gave under way.
	readdressed map[policy.IfID][]policy.Address

	guarded guard.Config // as applied last
	devices []link.Link  // that guard and parameters were applied to
	seen    map[int]bool // devices by index that were brought up or found up
}

// Config is what a Kernel needs of its router.
type Config struct {
	Tables *policy.Tables
	RunDir string
	Ledger *ambient.Ledger // of what clients send and hear
	Log    *slog.Logger
}

// Open prepares to change the kernel; Apply is the first to do so.
func Open(c Config) (*Kernel, error) {
	made, err := loadChanges(c.RunDir)
	if err != nil {
		return nil, err
	}
	conn, err := rtnl.Dial()
	if err != nil {
		return nil, err
	}
	k := &Kernel{conn: conn, tables: c.Tables, made: made, sysctl: filepath.Join(c.RunDir, SysctlFile), log: c.Log,
		seen: map[int]bool{}, readdressed: map[policy.IfID][]policy.Address{}, dhcp: newDHCPClients(&c)}
	k.pppoe = newDialers(&c, k.dhcp)
	if err := k.forgetNeighbours(); err != nil {
		conn.Close()
		return nil, err
	}
	return k, nil
}

// forgetNeighbours removes the managed neighbours that a killed router left.
func (k *Kernel) forgetNeighbours() error {
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

// Apply brings the kernel to what the configuration wants, as far as the
// devices are there, and returns a fresh view. Applied twice it changes nothing.
//
// The guard comes before the addresses: with an address but no guard the kernel
// would answer packets of live sessions with resets.
func (k *Kernel) Apply() (*View, error) {
	v, err := k.look()
	if err != nil {
		return nil, err
	}
	if err := k.applyDevices(v); err != nil {
		return nil, err
	}
	for _, step := range []func(*View) bool{k.applyVLANs, k.bringUp} {
		if !step(v) {
			continue
		}
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
		// Leases stay as they were: a newer one has no address on its interface
		// yet, and is looked at next.
		before := v
		if v, err = Look(k.conn); err != nil {
			return nil, err
		}
		v.Leases, v.sessions, v.given = before.Leases, before.sessions, before.given
	}
	k.applyRoutes(v)
	return v, nil
}

// applyRoutes sets the ways of the host's own traffic. Tables come before the
// rules that name them, so that nothing leaves by another WAN in between.
func (k *Kernel) applyRoutes(v *View) {
	if _, err := route.Apply(k.conn, append(wantRoutes(k.tables, v), sourceRoutes(k.tables, v)...)); err != nil {
		k.log.Warn("cannot set routes", "error", err)
	}
	if _, err := rule.Apply(k.conn, wantRules(k.tables, v)); err != nil {
		k.log.Warn("cannot set rules", "error", err)
	}
}

// applyDevices sets the kernel parameters when the devices changed.
func (k *Kernel) applyDevices(v *View) error {
	devices := v.Devices(k.tables)
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
func (k *Kernel) bringUp(v *View) (changed bool) {
	for _, l := range v.Devices(k.tables) {
		if isSession(k.tables, l.Name) {
			continue // up while it carries packets
		}
		known := k.seen[l.Index]
		k.seen[l.Index] = true
		if l.Up || known {
			continue
		}
		err := k.made.noteUp(l.Name)
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
func (k *Kernel) applyGuard(v *View) error {
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

// Undo removes what this router made and puts back what it changed: addresses
// first, so that nothing answers for them when the guard goes.
func (k *Kernel) Undo() error {
	k.pppoe.close() // while their lines are up: the other ends are told
	_, errVLAN := vlan.Apply(k.conn, nil)
	_, errRule := rule.Apply(k.conn, nil)
	_, errRoute := route.Apply(k.conn, nil)
	_, errAddr := addr.Apply(k.conn, nil)
	return errors.Join(errVLAN, errRule, errRoute, errAddr, deny.Open(guardOwner, nil), guard.Remove(guardOwner), k.stripTags(), k.linksDown(),
		sysctl.Restore(k.sysctl), k.made.remove())
}

func (k *Kernel) linksDown() error {
	var errs []error
	for _, name := range k.made.LinksUp {
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

// KeepTags lets XDP see the VLAN tags of a device's frames.
func (k *Kernel) KeepTags(name string) error {
	strips, err := fast.StripsTags(name)
	if err != nil || !strips {
		return err
	}
	if err := k.made.noteTags(name); err != nil {
		return err
	}
	return fast.SetStripTags(name, false)
}

// stripTags undoes it.
func (k *Kernel) stripTags() error {
	var errs []error
	for _, name := range k.made.Tags {
		if _, err := link.ByName(k.conn, name); err == nil {
			errs = append(errs, fast.SetStripTags(name, true))
		}
	}
	return errors.Join(errs...)
}

// Close ends the clients; what was made stays.
func (k *Kernel) Close() error {
	k.pppoe.close()
	k.dhcp.close()
	return k.conn.Close()
}

// Conn is the kernel's, for the same goroutine.
func (k *Kernel) Conn() *rtnl.Conn { return k.conn }

// Readdress gives an interface other addresses than its tables have, from the
// next Apply on.
func (k *Kernel) Readdress(id policy.IfID, addrs []policy.Address) { k.readdressed[id] = addrs }

// Readdressed are the addresses that were given so.
func (k *Kernel) Readdressed() map[policy.IfID][]policy.Address { return k.readdressed }
