package router

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"waymark/net/addr"
	"waymark/net/link"
	"waymark/net/route"
	"waymark/net/rtnl"
	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/path"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

const (
	levelEvery   = time.Second // between two looks at the pools
	suspectEvery = time.Minute // between two events of one path
)

// watchNetwork reports changes of links, addresses and default routes on a channel
// that holds one: whoever reads it looks at everything anew.
func watchNetwork() (<-chan struct{}, func(), error) {
	changes := make(chan struct{}, 1)
	poke := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	var watchers []*rtnl.Watcher
	stop := func() {
		for _, w := range watchers {
			w.Close()
		}
	}
	for _, open := range []func() (*rtnl.Watcher, error){
		func() (*rtnl.Watcher, error) { return link.Watch(func(link.Change) { poke() }) },
		func() (*rtnl.Watcher, error) { return addr.Watch(func(addr.Change) { poke() }) },
		func() (*rtnl.Watcher, error) { return route.Watch(poke) },
	} {
		w, err := open()
		if err != nil {
			stop()
			return nil, nil, err
		}
		watchers = append(watchers, w)
	}
	return changes, stop, nil
}

// calmWithin is how long the news of a start wait for somebody to ask about it.
const calmWithin = 200 * time.Millisecond

// keep follows the network until ctx ends. What the start changed itself comes back
// as news; whoever waits for us to forward has his answer first.
func (r *Router) keep(ctx context.Context, news <-chan struct{}) {
	levels := time.NewTicker(levelEvery)
	defer levels.Stop()
	calm := time.NewTimer(calmWithin)
	defer calm.Stop()
	var changes <-chan struct{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			r.log.Debug("network changed")
			r.refresh()
		case <-r.kernel.Changed():
			r.refresh()
		case <-r.adapter.lost:
			r.log.Error("another router took the session table")
			r.robbed = true
			return
		case <-r.bfd.News():
			r.pathsChanged()
		case id := <-r.adapter.suspected:
			r.suspect(id)
		case q := <-r.reloads:
			if r.takeConfig(q) {
				return
			}
		case <-r.set.Changed:
			if r.takeConfig(nil) {
				return
			}
		case ready := <-r.woken:
			r.see(ready)
		case p := <-r.probed:
			r.tookXDP(p)
		case answer := <-r.asked:
			answer()
			changes = news
		case <-calm.C:
			changes = news
		case <-levels.C:
			r.levels()
			if r.bfd.Measure() {
				r.steer()
			}
			r.bfd.KeepLearned()
			r.tellLifetimes()
			r.probe(ctx)
			r.tidy()
		}
	}
}

// refresh brings kernel, lane and engine to what the network is like now.
func (r *Router) refresh() {
	view, err := r.kernel.Apply()
	if err != nil {
		r.log.Warn("cannot follow the network", "error", err)
		return
	}
	r.adopt(view)
}

// adopt opens and closes ports as the devices come and go, and tells engine,
// paths and operators what changed.
func (r *Router) adopt(v *host.View) {
	first := r.seen == nil
	r.seen = v
	if first {
		r.countUse(false) // what passes from now on is counted, not from the first tick on
	}
	r.openPorts(v)
	// The programs of an earlier process serve until ours are loaded: engine
	// and ports come first then. A new lane receives nothing before.
	late := r.fast != nil && (r.fast.adopted || r.older != nil)
	if !late {
		r.follow(v)
	}
	changed := false
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		s := v.State(f)
		if p := r.ports[f.Target]; s.Up && (p == nil || p.err != nil) {
			s.Up, s.Reason = false, p.reason()
		}
		if !s.Equal(r.status[i]) {
			r.tell(f, s)
			changed = true
		}
		r.alarmInterface(f, s)
	}
	r.bfd.Follow(bfdLinks(v, r.tables, r.status))
	if changed {
		r.steer()
	}
	r.tellNames(v)
	r.serveLANs(v)
	r.tellLeases(v)
	r.alarmOverlaps(v)
	r.alarmPaths()
	if late {
		r.follow(v)
	}
	r.lookAtOlder()
}

// tell brings a new state of an interface to lane, engine and paths.
func (r *Router) tell(f *policy.Interface, s host.State) {
	r.log.Info("interface changed", "interface", f.Name, "up", s.Up, "reason", s.Reason, "mtu", s.MTU)
	var addrs []netip.Addr
	var prefixes []netip.Prefix
	for _, a := range s.Addrs {
		addrs, prefixes = append(addrs, a.Prefix.Addr()), append(prefixes, a.Prefix)
	}
	carrier := s.Up || s.Reason == host.ReasonNoAddress
	var changed []path.Change
	_ = r.onLane(func() { // fails only when the lane has ended
		changed = r.parts.Carrier.SetInterface(uint16(f.ID), carrier, addrs, s.MTU)
		r.parts.Engine.SetInterface(uint16(f.ID), s.Up, s.MTU, s.Addrs)
		r.lane.SetAddrs(laneID(uint16(f.ID)), prefixes)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, after := addresses(r.status[f.ID].Addrs), addresses(s.Addrs); f.DHCP && !slices.Equal(before, after) {
		r.journal.tell(event.AddressChanged(f.Name, before, after))
	}
	r.status[f.ID] = s
	r.noteSince(changed)
}

// noteSince keeps since when paths are up; the caller holds mu. A peer that
// restarts takes no path down.
func (r *Router) noteSince(changed []path.Change) {
	for _, c := range changed {
		if c.Status.Up && r.since[c.ID].IsZero() {
			r.since[c.ID] = time.Now()
		} else if !c.Status.Up && !c.Status.Pending {
			r.since[c.ID] = time.Time{}
		}
	}
}

// pathsChanged tells operators and engine what BFD found out.
func (r *Router) pathsChanged() {
	f := r.bfd.Take()
	for _, c := range f.News {
		r.log.Info("path changed", "peer", r.peerPath(policy.PathID(c.ID)).Peer, "path", r.tables.Paths[c.ID].Name,
			"up", c.Status.Up, "reason", c.Status.Reason, "mtu", c.Status.MTU)
	}
	r.tellEngine(&f)
	r.fitPaths(f.News)
	r.mu.Lock()
	r.noteSince(f.News)
	r.mu.Unlock()
	r.steer()
	r.alarmPaths()
	r.lookAtOlder()
	r.bfd.KeepLearned() // whoever starts after a kill knocks where peers were a moment ago
}

// steerBatch is how many sessions are looked at before packets have their turn
// again.
const steerBatch = 1024

// steer moves sessions to the paths where they should be now.
func (r *Router) steer() {
	for next := uint32(0); ; {
		err := r.onLane(func() { next = r.parts.Engine.Reroute(next, steerBatch) })
		if err != nil || next == 0 {
			return
		}
	}
}

func (r *Router) alarmInterface(f *policy.Interface, s host.State) {
	r.journal.set(event.InterfaceAdminDown(f.Name), s.Reason == host.ReasonAdmin)
	r.journal.set(event.InterfaceDown(f.Name), !s.Up && s.Reason != host.ReasonAdmin)
}

// alarmPaths raises and clears the alarms of paths and peers.
func (r *Router) alarmPaths() {
	for i := range r.tables.Peers {
		peer := &r.tables.Peers[i]
		reachable := len(peer.Paths) == 0
		for _, id := range peer.Paths {
			s := r.parts.Carrier.Status(uint16(id))
			up := s.Up || s.Pending // what will show within seconds is no alarm yet
			reachable = reachable || up
			r.journal.set(event.PeerPathDown(r.peerPath(id)), !up)
		}
		r.journal.set(event.PeerUnreachable(peer.Name), !reachable)
	}
}

// peerPath names a path as alarms do.
func (r *Router) peerPath(id policy.PathID) event.PeerPath {
	p := &r.tables.Paths[id]
	f := &r.tables.Interfaces[p.If]
	return event.PeerPath{
		Peer: r.tables.Peers[p.Peer].Name, Destination: destination(p),
		Node: r.tables.NodeName, DeviceInterface: f.Device, Vlan: f.Tag(),
	}
}

// destination is the remote waypoint of a path, or what stands for it.
func destination(p *policy.Path) string {
	if p.Remote.IsValid() {
		return p.Remote.String()
	}
	if p.RemoteHostname != "" {
		return p.RemoteHostname
	}
	return "unknown"
}

// suspect notes that a peer did not answer a handshake, once a while per path.
func (r *Router) suspect(id policy.PathID) {
	if now := time.Now(); now.Sub(r.doubts[id]) < suspectEvery {
		return
	} else {
		r.doubts[id] = now
	}
	p := r.peerPath(id)
	r.journal.tell(event.Event{Kind: event.KindTraffic, Type: "traffic.path_suspected", Category: event.Peer,
		Severity: event.Minor, Source: p.Peer, Message: "Peer " + p.Peer + " at " + p.Destination + " does not answer handshakes"})
}

// levels looks at the pools.
func (r *Router) levels() {
	r.countUse(false)
	r.lookAtOlder()
	r.alarmLeases()
	r.alarmSlow()
	r.serveLANs(r.seen)
	var use poolUse
	if r.lane.Do(func() { use = r.poolUse() }) != nil {
		return
	}
	r.alarmPools(&use)
}

// poolName names wayports in alarms: paths of one peer on one interface share it.
type poolName struct{ peer, ifc string }

// fullest returns the use of the fullest pathway of each name.
func (r *Router) fullest(list []pool.PathwayStats) map[poolName]share {
	worst := map[poolName]share{}
	for i, w := range list {
		p := &r.tables.Paths[i]
		name := poolName{r.tables.Peers[p.Peer].Name, r.tables.Interfaces[p.If].Name}
		s := share{used: w.InUse, capacity: min(w.Max, w.Pairs)}
		if old, ok := worst[name]; !ok || s.fuller(old) {
			worst[name] = s
		}
	}
	return worst
}
