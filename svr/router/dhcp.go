package router

import (
	"context"
	"hash/fnv"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"

	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/svr/policy"
)

// vendorClass is option 60 of our clients: servers tell them from others by it.
const vendorClass = "waymark"

// hasClient tells whether an interface gets its address by our DHCP client. The
// service lane answers for tagged interfaces, whose addresses are configured.
func hasClient(f *policy.Interface) bool { return f.DHCP && f.PPPoE == nil && f.VLAN == 0 && f.Enabled }

// dhcpClients are the DHCP clients of a router. An interface on which somebody
// else has put an IPv4 address, by hand or by a client of their own, has that
// one; ours waits until it is gone, unless it holds a lease already.
type dhcpClients struct {
	set     *Settings
	tables  *policy.Tables
	log     *slog.Logger
	changed chan struct{} // holds one: look again

	runs map[policy.IfID]*dhcpRun // the reconciler's

	mu     sync.Mutex // guards what follows
	status map[policy.IfID]dhcp4.Status
	news   []dhcpNews // not told yet
}

// dhcpNews is an event of an interface's client.
type dhcpNews struct {
	id policy.IfID
	dhcp4.Event
}

// ethernet is the hardware type that DHCP has a client for (ARPHRD_ETHER).
const ethernet = 1

// maxNews bounds the events that wait for the reconciler.
const maxNews = 64

// dhcpRun is a client that runs on one device.
type dhcpRun struct {
	client *dhcp4.Client
	index  int
	mac    [6]byte
	up     bool   // as the client was told
	seen   uint32 // carrier changes
	stop   func() // ends the client and waits for it
}

func newDHCPClients(set *Settings, t *policy.Tables) *dhcpClients {
	return &dhcpClients{set: set, tables: t, log: set.Log, changed: make(chan struct{}, 1),
		runs: map[policy.IfID]*dhcpRun{}, status: map[policy.IfID]dhcp4.Status{}}
}

// look is a look at the kernel through the eyes of our DHCP clients, which are
// told what changed.
func (k *kernel) look() (*view, error) {
	v, err := look(k.conn)
	if err == nil {
		k.dhcp.follow(v)
		k.pppoe.follow(v)
	}
	return v, err
}

// follow starts and ends clients as devices come and go, tells them of their
// links and enters their leases into the view.
func (d *dhcpClients) follow(v *view) {
	v.leases = map[policy.IfID]*dhcp4.Lease{}
	for i := range d.tables.Interfaces {
		f := &d.tables.Interfaces[i]
		if !hasClient(f) {
			continue
		}
		l, there := v.links[f.Target]
		run := d.runs[f.ID]
		if run != nil && (!there || run.index != l.Index || run.mac != l.MAC) {
			d.end(f.ID)
			run = nil
		}
		if run == nil && there && l.Type == ethernet {
			run = d.start(f, l, v)
		}
		if run == nil {
			continue
		}
		lease := d.get(f.ID).Lease
		d.link(run, l, l.Usable() && (lease != nil || len(v.theirs[l.Index]) == 0))
		if lease != nil {
			v.leases[f.ID] = lease
		}
	}
}

// link tells a client of its link, and of flaps nobody saw.
func (d *dhcpClients) link(run *dhcpRun, l link.Link, up bool) {
	if up != run.up || up && run.seen != l.Changes {
		run.client.Link(up)
	}
	run.up, run.seen = up, l.Changes
}

func (d *dhcpClients) start(f *policy.Interface, l link.Link, v *view) *dhcpRun {
	id := f.ID
	all, theirs := v.addrs[l.Index], v.theirs[l.Index]
	c := dhcp4.NewClient(dhcp4.Options{
		Interface: l.Name, Index: l.Index, Log: d.log,
		File: filepath.Join(d.set.RunDir, LeasePrefix+l.Name+".json"),
		Config: dhcp4.Config{MAC: l.MAC, ClientID: dhcp4.DUIDClientID(iaid(f.Name), l.MAC),
			Hostname: d.tables.RouterName, VendorClass: vendorClass},
		InUse:   func(p netip.Prefix) bool { return slices.Contains(all, p) && !slices.Contains(theirs, p) },
		Changed: func(s dhcp4.Status) { d.put(id, s) },
		Event:   func(e dhcp4.Event) { d.note(id, e) },
	})
	d.put(id, c.Initial())
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	run := &dhcpRun{client: c, index: l.Index, mac: l.MAC, seen: l.Changes, stop: func() { cancel(); done.Wait() }}
	d.runs[id] = run
	return run
}

// iaid numbers an interface for its client identifier: the same as long as its
// name is.
func iaid(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// end ends the client of an interface whose device is gone. Its lease stays in
// its file.
func (d *dhcpClients) end(id policy.IfID) {
	d.runs[id].stop()
	delete(d.runs, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.status, id)
}

// close ends all clients; nothing is released.
func (d *dhcpClients) close() {
	for id := range d.runs {
		d.end(id)
	}
}

func (d *dhcpClients) get(id policy.IfID) dhcp4.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status[id]
}

// put is called by clients.
func (d *dhcpClients) put(id policy.IfID, s dhcp4.Status) {
	d.mu.Lock()
	d.status[id] = s
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default: // one look sees all
	}
}

// note is called by clients, before the status that goes with the event. Only
// addresses are news; the log has the rest.
func (d *dhcpClients) note(id policy.IfID, e dhcp4.Event) {
	if e.Kind != dhcp4.Obtained && e.Kind != dhcp4.Moved {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.news) < maxNews {
		d.news = append(d.news, dhcpNews{id, e})
	}
}

// take returns the events that were not told yet.
func (d *dhcpClients) take() []dhcpNews {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.news
	d.news = nil
	return list
}
