package host

import (
	"hash/fnv"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/svr/path/ambient"
	"waymark/svr/policy"
)

// HasClient tells whether an interface gets its address by our DHCP client.
func HasClient(f *policy.Interface) bool { return f.DHCP && f.PPPoE == nil && f.Enabled }

// dhcpClients are the DHCP clients of a router. An interface on which somebody
// else has put an IPv4 address, by hand or by a client of their own, has that
// one; ours waits until it is gone, unless it holds a lease already.
type dhcpClients struct {
	Config
	clients[*dhcp4.Client, dhcp4.Status]
	news []Leased // not told yet; mu guards it
}

// Leased is news of an interface's address: it was obtained, or is another.
type Leased struct {
	If       policy.IfID
	Obtained bool
	Addr     netip.Addr
}

// Ethernet is the hardware type that DHCP has a client for (ARPHRD_ETHER).
const Ethernet = 1

// maxNews bounds the news that wait for TakeLeased.
const maxNews = 64

func newDHCPClients(c *Config) *dhcpClients {
	return &dhcpClients{Config: *c, clients: newClients[*dhcp4.Client, dhcp4.Status](make(chan struct{}, 1))}
}

// look is a look at the kernel through the eyes of our DHCP clients, which are
// told what changed.
func (k *Kernel) look() (*View, error) {
	v, err := Look(k.conn)
	if err == nil {
		v.given = k.readdressed
		k.dhcp.follow(v)
		k.pppoe.follow(v)
	}
	return v, err
}

// follow starts and ends clients as devices come and go, tells them of their
// links and enters their leases into the view.
func (d *dhcpClients) follow(v *View) {
	v.Leases = map[policy.IfID]*dhcp4.Lease{}
	for i := range d.Tables.Interfaces {
		f := &d.Tables.Interfaces[i]
		l, there := v.Links[f.Target]
		if !HasClient(f) {
			if f.DHCP && f.PPPoE == nil && there && l.Usable() && l.Type == Ethernet {
				d.giveBack(f, l)
			}
			continue
		}
		run := d.on(f.ID, l, there)
		if run == nil && there && l.Type == Ethernet {
			run = d.start(f, l, v)
		}
		if run == nil {
			continue
		}
		lease := d.get(f.ID).Lease
		run.link(l, l.Usable() && (lease != nil || f.VLAN != 0 || len(v.theirs[l.Index]) == 0))
		if lease != nil {
			v.Leases[f.ID] = lease
		}
	}
}

func (d *dhcpClients) start(f *policy.Interface, l link.Link, v *View) *clientRun[*dhcp4.Client] {
	all, theirs := v.Addrs[l.Index], v.theirs[l.Index]
	opt := d.options(f, l)
	opt.InUse = func(p netip.Prefix) bool {
		return f.VLAN == 0 && slices.Contains(all, p) && !slices.Contains(theirs, p)
	}
	return d.launch(f.ID, l, opt)
}

// options are those of an interface's client.
func (d *dhcpClients) options(f *policy.Interface, l link.Link) dhcp4.Options {
	id := f.ID
	return dhcp4.Options{
		Interface: l.Name, Index: l.Index, VLAN: f.VLAN, Log: d.Log, File: d.file(f), Config: d.identity(f, l.MAC),
		Changed: func(s dhcp4.Status) { d.put(id, s) },
		Event:   func(e dhcp4.Event) { d.note(id, e) },
		Count:   d.Ledger.Counter(ambient.Key{Interface: f.Name, Channel: ambient.DHCP}).Add,
	}
}

// file is where the lease of an interface is kept.
func (d *dhcpClients) file(f *policy.Interface) string {
	return filepath.Join(d.RunDir, LeasePrefix+f.Tagged()+".json")
}

func (d *dhcpClients) launch(id policy.IfID, l link.Link, opt dhcp4.Options) *clientRun[*dhcp4.Client] {
	c := dhcp4.NewClient(opt)
	d.put(id, c.Initial())
	return d.run(id, l, c)
}

// giveBack releases the lease of an interface that was taken out of service
// since an earlier process got it.
func (d *dhcpClients) giveBack(f *policy.Interface, l link.Link) {
	if d.runs[f.ID] != nil {
		return
	}
	if _, err := os.Stat(d.file(f)); err != nil {
		return // nothing to give
	}
	d.launch(f.ID, l, d.options(f, l)).client.Release()
}

// iaid numbers an interface for its client identifier: the same wherever it is in
// the network, whatever a configuration calls it. A box that gets its first one
// stays the client that its provider knows, who may have one address for the line.
func iaid(f *policy.Interface) uint32 {
	h := fnv.New32a()
	h.Write([]byte(f.Tagged()))
	return h.Sum32()
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
		d.news = append(d.news, Leased{id, e.Kind == dhcp4.Obtained, e.Address})
	}
}

// take returns the events that were not told yet.
func (d *dhcpClients) take() []Leased {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.news
	d.news = nil
	return list
}
