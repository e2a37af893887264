package router

import (
	"errors"
	"net/netip"
	"time"

	"waymark/mgmt/config"
	"waymark/net/sntp"
	"waymark/svr/event"
	"waymark/svr/policy"
	"waymark/svr/watch"
	"waymark/svr/wire"
)

const (
	// lastsLong is how long what the start alone explains may be wrong before
	// it is an alarm.
	lastsLong = 10 * time.Second
	// unresolvedName is the same of a name.
	unresolvedName = 30 * time.Second
)

// alarmSlow looks at what changes slowly or tells nobody when it does.
func (r *Router) alarmSlow() {
	r.alarmBFD(r.bfd.List())
	r.alarmServices()
	list, synced, now := r.clockClient.Look()
	r.alarmClock(len(list), synced, now)
	r.alarmNames(list)
	r.alarmHost()
	r.alarmCommit()
	r.journal.tick()
}

// alarmCommit looks for a commit that comes back unless it is confirmed.
func (r *Router) alarmCommit() {
	if r.set.Unconfirmed != nil {
		version, waits := r.set.Unconfirmed()
		r.journal.set(event.Unconfirmed(version), waits)
	}
}

// alarmPools looks at the pools.
func (r *Router) alarmPools(use *poolUse) {
	table := use.sessions
	if use.slots.fuller(table) { // IPv6 sessions take two slots a direction
		table = use.slots
	}
	r.journal.level(event.SessionTable(), table.used, table.capacity)
	for name, w := range r.fullest(use.wayports) {
		r.journal.level(event.WaypointPool(name.peer, name.ifc), w.used, w.capacity)
	}
	r.journal.level(event.Pool("next-hops"), use.nextHops.used, use.nextHops.capacity)
	r.journal.level(event.Pool("source-nat"), use.nat.used, use.nat.capacity)
	r.journal.level(event.Pool("fragments"), use.fragments.used, use.fragments.capacity)
}

// alarmBFD looks at standard neighbours, and at the clocks of peers: the largest
// offset of each.
func (r *Router) alarmBFD(list []watch.Status) {
	offsets := map[string]int64{}
	for _, s := range list {
		if s.Neighbor {
			name := r.tables.Interfaces[s.If].Name
			r.journal.setAfter(event.BFDNeighborDown(s.Remote.Addr().String(), name), s.State != wire.BFDUp, lastsLong)
			continue
		}
		if ms := s.ClockOffset; s.ClockKnown {
			peer := r.tables.Peers[r.tables.Paths[s.ID].Peer].Name
			offsets[peer] = max(offsets[peer], ms, -ms)
		}
	}
	for peer, ms := range offsets {
		r.journal.above(event.ClockOffset(peer, ms), ms, event.ClockRaise, event.ClockClear)
	}
}

// alarmServices looks for services that no packet can take a way of.
func (r *Router) alarmServices() {
	status, _ := r.snapshot()
	for service, open := range openServices(r.tables, func(id policy.PathID) bool {
		s := r.parts.Carrier.Status(uint16(id))
		return s.Up || s.Pending
	}, func(id policy.IfID) bool { return status[id].Up }) {
		r.journal.setAfter(event.NoServicePath(service), !open, lastsLong)
	}
}

// openServices tells of each service that has routes whether one of them can be
// taken. Sessions towards a peer behind a NAT begin there, so such a path is no
// way, but nothing is wrong with it either. It is pure.
func openServices(t *policy.Tables, up func(policy.PathID) bool, ifUp func(policy.IfID) bool) map[string]bool {
	open := map[string]bool{}
	for _, row := range t.ServicePaths(up, ifUp) {
		name := t.Services[row.Service].Name
		open[name] = open[name] || row.Up && !row.NotTaken
	}
	return open
}

// alarmNames looks for names of time servers that are not found.
func (r *Router) alarmNames(list []sntp.Server) {
	for _, s := range list {
		if _, err := netip.ParseAddr(s.Name); err == nil {
			continue
		}
		r.journal.setAfter(event.Unresolved(s.Name), errors.Is(s.Err, sntp.ErrName), unresolvedName)
	}
}

// shelves translates those of the configuration, which has checked them.
func shelves(list []config.Shelf) (out []event.Shelf) {
	for i := range list {
		out = append(out, list[i].Event())
	}
	return out
}
