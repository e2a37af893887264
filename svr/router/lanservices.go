package router

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"waymark/mgmt/config"
	"waymark/net/dhcpd"
	"waymark/net/frame"
	"waymark/net/link"
	"waymark/svr/event"
	"waymark/svr/policy"
)

// daemon is a service of the box on one interface, as it was started.
type daemon struct {
	what any // its configuration and device: another one is another daemon
	born time.Time
	dhcp *dhcpd.Daemon
	stop func() // ends it and waits
	dead chan struct{}
}

// daemons are the services that the box offers on its LANs. The reconciler alone
// starts and ends them; show looks on.
type daemons struct {
	mu   sync.Mutex // guards dhcp
	dhcp map[policy.IfID]*daemon
}

// serveLANs starts and ends what interfaces offer as they come and go.
func (r *Router) serveLANs(v *view) {
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		for _, h := range f.Config.HostServices {
			if h.Enabled && h.Type == config.ServeDHCP {
				r.serveDHCP(v, f, &h)
			}
		}
	}
}

// serveDHCP makes the DHCP server of an interface run as it should. One that
// ended by itself, because another one has the port, is tried again.
func (r *Router) serveDHCP(v *view, f *policy.Interface, h *config.HostService) {
	l, there := v.links[f.Target]
	want, wanted := dhcpdOptions(r.set.RunDir, f, h, l), there && v.state(f).up && l.Type == ethernet
	d := r.daemons.dhcp[f.ID]
	if d != nil && (!wanted || d.again() || !reflect.DeepEqual(d.what, want)) {
		d.stop()
		r.putDHCP(f.ID, nil)
		d = nil
	}
	if d == nil && wanted {
		opt := want
		opt.Log = r.log
		s := dhcpd.NewDaemon(opt)
		d = r.launch(want, func(ctx context.Context) error { return s.Run(ctx) })
		d.dhcp = s
		r.putDHCP(f.ID, d)
	}
	r.journal.set(event.ServiceDown("dhcp-server", f.Name), d != nil && d.gone())
}

// launch runs a service until it is stopped.
func (r *Router) launch(what any, run func(context.Context) error) *daemon {
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemon{what: what, born: time.Now(), dead: make(chan struct{})}
	d.stop = func() { cancel(); <-d.dead }
	go func() {
		defer close(d.dead)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("service ended", "error", err)
		}
	}()
	return d
}

func (d *daemon) gone() bool {
	select {
	case <-d.dead:
		return true
	default:
		return false
	}
}

// restEvery is the least time between two starts of a service that ends by
// itself.
const restEvery = 10 * time.Second

// again tells that a service ended by itself long enough ago.
func (d *daemon) again() bool { return d.gone() && time.Since(d.born) > restEvery }

func (r *Router) putDHCP(id policy.IfID, d *daemon) {
	r.daemons.mu.Lock()
	defer r.daemons.mu.Unlock()
	if d == nil {
		delete(r.daemons.dhcp, id)
		return
	}
	r.daemons.dhcp[id] = d
}

func (d *daemons) close() {
	for _, x := range d.dhcp {
		x.stop()
	}
}

// dhcpdOptions are those of an interface's DHCP server. It is pure.
func dhcpdOptions(run string, f *policy.Interface, h *config.HostService, l link.Link) dhcpd.Options {
	name := f.Target
	if f.VLAN != 0 {
		name += fmt.Sprintf(".%d", f.VLAN)
	}
	o := dhcpd.Options{Interface: f.Target, Index: l.Index, VLAN: f.VLAN, File: filepath.Join(run, ServedPrefix+name+".json"),
		Config: dhcpd.Config{MAC: l.MAC, MaxLease: h.MaxLease}}
	forwards := false
	for _, other := range f.Config.HostServices {
		forwards = forwards || other.Enabled && other.Type == config.ServeDNS
	}
	for i := range h.Pools {
		p := &h.Pools[i]
		for _, a := range f.Addresses {
			if a.Prefix.Masked().Contains(p.Start) {
				o.Config.Pools = append(o.Config.Pools, dhcpPool(p, a.Prefix, forwards))
				break
			}
		}
	}
	return o
}

// Options of a DHCP server (RFC 2132).
const (
	optRouter, optDNS, optDomain, optMTU, optNTP = 3, 6, 15, 26, 42
)

func dhcpPool(p *config.AddressPool, server netip.Prefix, forwards bool) dhcpd.Pool {
	d := dhcpd.Pool{Server: server, Start: p.Start, End: p.End, Static: map[frame.MAC]netip.Addr{}, Options: map[uint8][]byte{}}
	for _, s := range p.Static {
		d.Static[s.MAC] = s.Address
	}
	for _, c := range p.Custom {
		d.Options[c.Code] = c.Value
	}
	router, dns := p.Router, p.DNS
	if !router.IsValid() {
		router = server.Addr()
	}
	if len(dns) == 0 && forwards {
		dns = []netip.Addr{server.Addr()}
	}
	for code, list := range map[uint8][]netip.Addr{optRouter: {router}, optDNS: dns, optNTP: p.NTP} {
		for _, a := range list {
			d.Options[code] = append(d.Options[code], a.AsSlice()...)
		}
	}
	if p.Domain != "" {
		d.Options[optDomain] = []byte(p.Domain)
	}
	if p.MTU > 0 {
		d.Options[optMTU] = binary.BigEndian.AppendUint16(nil, uint16(p.MTU))
	}
	return d
}

// lookWait bounds how long show waits for a service.
const lookWait = 2 * time.Second

// showDHCPServer lists the leases that the box gave.
func (r *Router) showDHCPServer(a *answer) error {
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		r.daemons.mu.Lock()
		d := r.daemons.dhcp[f.ID]
		r.daemons.mu.Unlock()
		if d == nil || d.gone() {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), lookWait)
		leases, _, _, err := d.dhcp.Look(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("ask DHCP server of %s: %w", f.Name, err)
		}
		for _, l := range leases {
			mac, ends := any(nil), any(nil)
			if l.MAC != (frame.MAC{}) {
				mac = net.HardwareAddr(l.MAC[:]).String()
			}
			if l.Left > 0 {
				ends = time.Now().Add(l.Left).UTC().Truncate(time.Second)
			}
			if err := a.row(r.tables.RouterName, r.tables.NodeName, f.Name, l.Address.String(), mac, orNull(l.Hostname),
				string(l.State), ends, orNull(l.ClientID())); err != nil {
				return err
			}
		}
	}
	return nil
}
