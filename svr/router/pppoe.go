package router

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync"

	"waymark/net/addr"
	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/pppoe"
	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
	"waymark/svr/policy"
)

// dialers are the PPPoE clients of a router. What they get joins the view as
// leases of the DHCP clients do, and their news go the same way.
type dialers struct {
	set    *Settings
	tables *policy.Tables
	dhcp   *dhcpClients

	runs map[policy.IfID]*dialRun // the reconciler's

	mu     sync.Mutex // guards what follows
	status map[policy.IfID]pppoe.Status
}

// dialRun is a client that runs on one line.
type dialRun struct {
	client *pppoe.Client
	index  int
	mac    [6]byte
	up     bool   // as the client was told
	seen   uint32 // carrier changes
	stop   func() // ends the client and waits for it
}

func newDialers(set *Settings, t *policy.Tables, d *dhcpClients) *dialers {
	return &dialers{set: set, tables: t, dhcp: d, runs: map[policy.IfID]*dialRun{}, status: map[policy.IfID]pppoe.Status{}}
}

// lines returns the names of the Linux interfaces below PPPoE sessions.
func lines(t *policy.Tables) (names []string) {
	for i := range t.Interfaces {
		if f := &t.Interfaces[i]; f.Enabled && f.PPPoE != nil {
			names = append(names, f.Line)
		}
	}
	return names
}

// isSession tells whether a Linux interface is that of a PPPoE session.
func isSession(t *policy.Tables, name string) bool {
	for i := range t.Interfaces {
		if f := &t.Interfaces[i]; f.PPPoE != nil && f.Target == name {
			return true
		}
	}
	return false
}

// follow starts and ends clients as lines come and go, tells them of their links
// and enters what their sessions gave into the view.
func (d *dialers) follow(v *view) {
	v.sessions = map[policy.IfID]*pppoe.Session{}
	for i := range d.tables.Interfaces {
		f := &d.tables.Interfaces[i]
		if f.PPPoE == nil || !f.Enabled {
			continue
		}
		l, there := v.links[f.Line]
		run := d.runs[f.ID]
		if run != nil && (!there || run.index != l.Index || run.mac != l.MAC) {
			d.end(f.ID)
			run = nil
		}
		if run == nil && there && l.Type == ethernet {
			run = d.start(f, l)
		}
		if run == nil {
			continue
		}
		if up := l.Usable(); up != run.up || up && run.seen != l.Changes {
			run.client.Link(up)
			run.up = up
		}
		run.seen = l.Changes
		if s := d.get(f.ID).Session; s != nil {
			v.sessions[f.ID] = s
			if lease := sessionLease(s); lease != nil {
				v.leases[f.ID] = lease
			}
		}
	}
}

// unnamedPeer is the gateway of a session whose other end does not tell its
// address; pppd uses the same.
var unnamedPeer = netip.AddrFrom4([4]byte{10, 112, 112, 112})

// sessionLease is what a session gives in the form of a lease that never ends;
// nil without IPv4.
func sessionLease(s *pppoe.Session) *dhcp4.Lease {
	if !s.Address.IsValid() {
		return nil
	}
	l := &dhcp4.Lease{Address: netip.PrefixFrom(s.Address, 32), Gateway: s.Peer, Server: s.Peer, DNS: s.DNS, MTU: s.MTU,
		Seconds: dhcp4.Infinite}
	if !l.Gateway.IsValid() || l.Gateway == s.Address {
		l.Gateway = unnamedPeer
	}
	return l
}

// linkLocal is the address that IPv6CP agreed on.
func (v *view) linkLocal(id policy.IfID, index int) []addr.Address {
	s := v.sessions[id]
	if s == nil || !s.IPv6 {
		return nil
	}
	a := [16]byte{0xfe, 0x80}
	copy(a[8:], s.OwnID[:])
	return []addr.Address{{Index: index, Prefix: netip.PrefixFrom(netip.AddrFrom16(a), 64)}}
}

// dialled judges an interface that has a PPPoE session, or should.
func (v *view) dialled(f *policy.Interface, s ifState) ifState {
	line, there := v.links[f.Line]
	l, made := v.links[f.Target]
	lease := v.leases[f.ID]
	s.addrs = nil
	if lease != nil && made {
		s.addrs, s.mtu = v.leased(f, lease, l.Index), lease.LimitMTU(s.mtu)
	}
	switch {
	case !f.Enabled:
		s.reason = reasonAdmin
	case !there:
		s.reason = reasonNoDevice
	case !line.Usable():
		s.reason = reasonNoCarrier
	case len(s.addrs) == 0 || !l.Usable():
		s.reason = reasonNoAddress
	default:
		s.up = true
	}
	return s
}

func (d *dialers) start(f *policy.Interface, l link.Link) *dialRun {
	id := f.ID
	cfg := pppoe.Config{MAC: l.MAC, ServiceName: f.PPPoE.ServiceName, ACName: f.PPPoE.AccessConcentrator,
		User: f.PPPoE.User, Password: f.PPPoE.Password, MRU: uint16(min(f.MTU, 1500)), IPv6: true}
	if f.PPPoE.PAP {
		cfg.Auth = ppp.PAP
	}
	c := pppoe.NewClient(pppoe.Options{
		Ethernet: l.Name, Index: l.Index, Name: f.Target, Config: cfg, Log: d.set.Log,
		File:    filepath.Join(d.set.RunDir, PPPoEPrefix+l.Name+".json"),
		Changed: func(s pppoe.Status) { d.put(id, s) },
		Event:   func(e pppoe.Event) { d.note(id, e) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	run := &dialRun{client: c, index: l.Index, mac: disc.MAC(l.MAC), seen: l.Changes, stop: func() { cancel(); done.Wait() }}
	d.runs[id] = run
	return run
}

// end ends the client of an interface: its session too.
func (d *dialers) end(id policy.IfID) {
	d.runs[id].stop()
	delete(d.runs, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.status, id)
}

// close ends all clients.
func (d *dialers) close() {
	for id := range d.runs {
		d.end(id)
	}
}

func (d *dialers) get(id policy.IfID) pppoe.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status[id]
}

// put is called by clients.
func (d *dialers) put(id policy.IfID, s pppoe.Status) {
	d.mu.Lock()
	d.status[id] = s
	d.mu.Unlock()
	select {
	case d.dhcp.changed <- struct{}{}:
	default: // one look sees all
	}
}

// note is called by clients, before the status that goes with the event.
func (d *dialers) note(id policy.IfID, e pppoe.Event) {
	switch e.Kind {
	case pppoe.Established:
		d.dhcp.note(id, dhcp4.Event{Kind: dhcp4.Obtained, Address: e.Address})
	case pppoe.Readdressed:
		d.dhcp.note(id, dhcp4.Event{Kind: dhcp4.Moved, Address: e.Address})
	}
}
