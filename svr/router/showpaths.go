package router

import (
	"fmt"
	"strings"
	"time"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

func (r *Router) showPeers(a *answer) error {
	_, since := r.snapshot()
	fits := make([]int, len(r.tables.Paths)) // an ICMP error may have told less than the device takes
	err := r.lane.Do(func() {
		for i := range fits {
			fits[i] = r.parts.Engine.PathMTU(policy.PathID(i))
		}
	})
	if err != nil {
		return err
	}
	for i := range r.tables.Paths {
		p := &r.tables.Paths[i]
		s := r.parts.Carrier.Status(uint16(p.ID))
		mtu, latency, uptime := any(nil), any(nil), any(nil)
		if s.Up && s.MTU > 0 {
			mtu = fits[i]
		}
		if s.RTT > 0 {
			latency = float64(s.RTT.Microseconds()) / 1000
		}
		if s.Up && !since[i].IsZero() {
			uptime = int64(time.Since(since[i]).Seconds())
		}
		dest := any(nil)
		if d := destination(p); d != "unknown" {
			dest = d
		} else if s.Remote.IsValid() { // BFD found it
			dest = s.Remote.String()
		}
		values := []any{r.tables.Peers[p.Peer].Name, r.tables.NodeName, r.tables.Interfaces[p.If].Name, dest,
			upDown(s.Up), orNull(p.RemoteHostname), mtu, orNull(s.Reason)}
		if a.detail {
			latency, jitter, loss, mos := r.quality(p.ID, latency, s.Up)
			values = append(values, latency, jitter, loss, mos, uptime, addrOrNull(s.Local), p.Cost,
				orEmpty(p.Vectors), r.securityName(p.SendPolicy), p.Adjacency.Generated,
				orNull(p.Adjacency.Neighborhood), origins(&p.Adjacency))
		}
		if err := a.row(values...); err != nil {
			return err
		}
	}
	return nil
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

// origins tells where each leaf of an adjacency comes from: own, peer, written.
func origins(a *config.Adjacency) map[string]config.Origin {
	if a.Origins == nil {
		return map[string]config.Origin{}
	}
	return a.Origins
}

func (r *Router) securityName(id policy.SecurityID) any {
	if id == policy.NoSecurity {
		return nil
	}
	return r.tables.Security[id].Name
}

func (r *Router) showServicePaths(a *answer) error {
	status, _ := r.snapshot()
	up := func(id policy.PathID) bool { return r.parts.Carrier.Status(uint16(id)).Up }
	ifUp := func(id policy.IfID) bool { return status[id].Up }
	for _, row := range r.tables.ServicePaths(up, ifUp) {
		s := &r.tables.Services[row.Service]
		kind, ifc, vector := "service-agent", any(nil), orNull(row.Vector)
		if row.Kind == policy.RoutePeer {
			kind = "peer"
		}
		if row.If != policy.NoIf && (row.Kind == policy.RouteLocal || row.Path != policy.NoPath) {
			ifc = r.tables.Interfaces[row.If].Name
		}
		state := "Down"
		if row.Up && !row.NotTaken {
			state = "Up"
		}
		next := addrOrNull(row.Address)
		err := a.row(s.Name, row.Route, kind, addrOrNull(row.Target), next, ifc, vector, row.Cost, nil, nil, state,
			r.established(s), orNull(row.Peer))
		if err != nil {
			return err
		}
	}
	return nil
}

// established says what protects the packets of a service once its sessions
// are established; metadata is protected always.
func (r *Router) established(s *policy.Service) string {
	if s.Security == policy.NoSecurity {
		return "clear, unauthenticated"
	}
	p := &r.tables.Security[s.Security]
	switch {
	case p.Clear():
		return "clear, unauthenticated"
	case p.Encrypt && p.Cipher.GCM():
		return "encrypted, authenticated"
	case p.Encrypt && p.HMACMode == config.HMACDisabled:
		return "encrypted, unauthenticated"
	case p.Encrypt:
		return "encrypted, authenticated"
	}
	return "clear, authenticated"
}

func (r *Router) showTransform(a *answer) error {
	for i := range r.tables.Paths {
		p := &r.tables.Paths[i]
		status, why := "disabled", any(nil)
		if p.AlwaysTransform {
			status, why = "enabled", "always-transform"
		}
		err := a.row(r.tables.RouterName, r.tables.NodeName, r.tables.Peers[p.Peer].Name, status, why,
			r.tables.Interfaces[p.If].Name, destination(p))
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) showWaypoints(a *answer) error {
	var use poolUse
	if err := r.lane.Do(func() { use = r.poolUse() }); err != nil {
		return err
	}
	for i, w := range use.wayports {
		p := &r.tables.Paths[i]
		values := []any{r.tables.Peers[p.Peer].Name, r.tables.Interfaces[p.If].Name, destination(p),
			w.InUse, w.Resting, w.Free, w.Highest, w.Refused, w.Max}
		if a.detail {
			values = append(values, w.Pairs, w.Forgotten, rangesText(p.LocalPorts, "16385-65533"),
				rangesText(p.PeerPorts, "16385-65532"))
		}
		if err := a.row(values...); err != nil {
			return err
		}
	}
	return nil
}

func rangesText(list []policy.PortRange, none string) string {
	if len(list) == 0 {
		return none
	}
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%d-%d", p.First, p.Last))
	}
	return strings.Join(out, ",")
}

// showCapacity prints every pool, and the memory of the process.
func (r *Router) showCapacity(a *answer) error {
	var use poolUse
	if err := r.lane.Do(func() { use = r.poolUse() }); err != nil {
		return err
	}
	ev := r.journal.stats()
	memory, err := usedMemory()
	if err != nil {
		return err
	}
	if r.fast != nil {
		memory += r.fast.Older().Memory // of the kernel's, and not mapped
	}
	r.mu.Lock()
	r.memoryPeak = max(r.memoryPeak, memory)
	peak := r.memoryPeak
	r.mu.Unlock()
	type line struct {
		name string
		share
	}
	lines := []line{{"session-table", use.sessions}, {"session-slots", use.slots}}
	for i, w := range use.wayports {
		lines = append(lines, line{r.wayportsName(i), share{w.InUse, min(w.Max, w.Pairs), w.Highest, w.Refused}})
	}
	lines = append(lines, line{"source-nat", use.nat}, line{"fragments", use.fragments}, line{"next-hops", use.nextHops},
		line{"events", share{ev.Events, ev.EventCapacity, ev.Events, 0}},
		line{"alarms", share{ev.Alarms, ev.AlarmCapacity, ev.HighestAlarms, ev.Refused}},
		line{"memory", share{memory, r.prof.Memory, peak, 0}})
	for _, l := range lines {
		highest := any(l.highest)
		if l.highest < l.used {
			highest = nil // nobody counts it
		}
		if err := a.row(l.name, l.used, l.capacity, percent(l.used, l.capacity), highest, l.refused); err != nil {
			return err
		}
	}
	return nil
}

// percent is used of capacity, rounded to a tenth.
func percent(used, capacity int) any {
	if capacity == 0 {
		return nil
	}
	return float64(used*1000/capacity) / 10
}

// wayportsName is "wayports PEER INTERFACE", with the destination behind it
// when several paths of the peer begin at that interface.
func (r *Router) wayportsName(path int) string {
	p := &r.tables.Paths[path]
	peer := &r.tables.Peers[p.Peer]
	name, same := "wayports "+peer.Name+" "+r.tables.Interfaces[p.If].Name, 0
	for _, id := range peer.Paths {
		if r.tables.Paths[id].If == p.If {
			same++
		}
	}
	if same > 1 {
		name += " " + destination(p)
	}
	return name
}
