package router

import (
	"net/netip"
	"runtime"
	"slices"
	"time"

	"waymark/svr/host"
	"waymark/svr/lane"
	"waymark/svr/policy"
	"waymark/svr/router/ctl"
	"waymark/svr/session"
)

// producers make the rows of each table. They run on a connection's goroutine.
var producers = map[string]func(*Router, *answer) error{
	"alarms": (*Router).showAlarms, "alarms shelved": (*Router).showAlarms, "ambient": (*Router).showAmbient, "bfd": (*Router).showBFD, "capacity": (*Router).showCapacity,
	"device-interface": (*Router).showDevices, "dhcp": (*Router).showDHCP, "dhcp server": (*Router).showDHCPServer,
	"dns": (*Router).showDNS, "dynamic-peer-update": (*Router).showDynamicPeerUpdate, "events": (*Router).showEvents, "events admin": (*Router).showEvents,
	"events alarm": (*Router).showEvents, "events system": (*Router).showEvents, "events traffic": (*Router).showEvents,
	"entitlement": func(*Router, *answer) error { return nil }, "fib": (*Router).showFIB, "security key-status": (*Router).showKeyStatus,
	"network-interface": (*Router).showInterfaces, "ntp": (*Router).showNTP, "peers": (*Router).showPeers, "progress": (*Router).showProgress,
	"service-path": (*Router).showServicePaths, "sessions": (*Router).showSessions,
	"stats": (*Router).showStats, "system": (*Router).showSystem,
	"tenant members": (*Router).showTenantMembers, "udp-transform": (*Router).showTransform,
	"waypoints": (*Router).showWaypoints,
}

// show answers one request.
func (r *Router) show(req ctl.Request, a *answer) error {
	table, err := ctl.Find(req.Show)
	if err != nil {
		return err
	}
	a.begin(table, req.Detail)
	return producers[req.Show](r, a)
}

// orNull turns an empty string into null.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// addrOrNull writes an address, null when there is none.
func addrOrNull(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a.String()
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func (r *Router) showAlarms(a *answer) error {
	for _, e := range r.journal.active() {
		values := ctl.AlarmValues(a.table, &e)
		if values == nil {
			a.shelved++
		} else if err := a.row(values...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) showEvents(a *answer) error {
	for _, e := range r.journal.events() {
		if values := ctl.EventValues(a.table, &e); values != nil {
			if err := a.row(values...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Router) showSystem(a *answer) error {
	lanes := "go"
	if r.fast != nil {
		lanes = "bpf, go"
	}
	return a.row(r.tables.RouterName, r.tables.NodeName, "running", version(),
		int64(time.Since(r.started).Seconds()), "combo", r.journal.wrong(),
		r.started.UTC().Truncate(time.Second), r.prof.Name, lanes, pid, orNull(r.why),
		nil, nil, nil, nil, nil, nil, nil, nil, nil)
}

// showStats lists the engine's counters and the lane's.
func (r *Router) showStats(a *answer) error {
	var stats session.Stats
	var counters lane.Counters
	if err := r.lane.Do(func() { stats, counters = r.parts.Engine.Stats(), r.lane.Counters() }); err != nil {
		return err
	}
	for c, v := range stats {
		if err := a.row(session.Counter(c).String(), r.tables.NodeName, v); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"lane/no-buffer", counters.NoBuffer}, {"lane/no-interface", counters.NoInterface},
		{"lane/no-next-hop", counters.NoHop}, {"lane/held-for-next-hop", counters.HopHeld},
		{"lane/held-and-dropped", counters.HopDropped}, {"lane/rounds", counters.Rounds},
		{"lane/wakeups", counters.Wakeups},
	} {
		if err := a.row(c.name, r.tables.NodeName, c.value); err != nil {
			return err
		}
	}
	row := func(name string, value uint64) error { return a.row(name, r.tables.NodeName, value) }
	if err := r.bfdStats(row); err != nil {
		return err
	}
	if err := r.dnsStats(row); err != nil {
		return err
	}
	if err := row("process/goroutines", uint64(runtime.NumGoroutine())); err != nil {
		return err
	}
	return r.fastStats(row)
}

func (r *Router) showFIB(a *answer) error {
	for _, row := range r.tables.FIB() {
		hops := []string{}
		for _, h := range row.NextHops {
			hops = append(hops, r.hopText(&h))
		}
		if row.Deny {
			hops = []string{"<deny>"}
		}
		err := a.row(row.Prefix.String(), row.PortText(), row.ProtoText(), row.Tenant,
			r.tables.Services[row.Service].Name, hops, row.Deny)
		if err != nil {
			return err
		}
	}
	return nil
}

// hopText names a next-hop: its address, or the interface it is on link of.
func (r *Router) hopText(h *policy.NextHopRow) string {
	switch {
	case h.Address.IsValid():
		return h.Address.String()
	case h.Kind == policy.RoutePeer:
		return "<peer " + h.Peer + ">"
	}
	return "<on-link " + r.tables.Interfaces[h.If].Name + ">"
}

func (r *Router) showTenantMembers(a *answer) error {
	status, _ := r.snapshot()
	for _, m := range r.tables.TenantMembers() {
		f := &r.tables.Interfaces[m.If]
		prefix := "0.0.0.0/0"
		if m.Prefix.IsValid() {
			prefix = m.Prefix.String()
		}
		err := a.row(f.Device, f.Tag(), f.Name, addresses(status[f.ID].Addrs), prefix,
			r.tables.Tenants[m.Tenant].Name, "PUBLIC", orNull(m.Neighborhood))
		if err != nil {
			return err
		}
	}
	return nil
}

func addresses(list []policy.Address) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, a.Prefix.String())
	}
	return out
}

func gateways(list []policy.Address) []string {
	out := []string{}
	for _, a := range list {
		if a.Gateway.IsValid() && !slices.Contains(out, a.Gateway.String()) {
			out = append(out, a.Gateway.String())
		}
	}
	return out
}

// snapshot returns what holds for interfaces (by IfID) and since when paths are
// up (by PathID, zero when they are not).
func (r *Router) snapshot() ([]host.State, []time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.status), slices.Clone(r.since)
}
