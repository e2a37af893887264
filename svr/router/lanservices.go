package router

import (
	"context"
	"reflect"
	"sync"
	"time"

	"waymark/mgmt/config"
	"waymark/net/dhcpd"
	"waymark/net/dnsd"
	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/policy"
)

// daemon is a service of the box on one interface, as it was started.
type daemon struct {
	what any // its configuration and device: another one is another daemon
	born time.Time
	dhcp *dhcpd.Daemon
	dns  *dnsd.Forwarder
	stop func() // ends it and waits
	dead chan struct{}
}

// daemons are the services that the box offers on its LANs. The reconciler alone
// starts and ends them; show looks on.
type daemons struct {
	mu   sync.Mutex // guards runs
	runs map[service]*daemon
}

// service names one of them.
type service struct {
	id   policy.IfID
	kind string // config.ServeDHCP, config.ServeDNS
}

// serveLANs starts and ends what interfaces offer as they come and go.
func (r *Router) serveLANs(v *host.View) {
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		for _, h := range f.Config.HostServices {
			switch {
			case !h.Enabled:
			case h.Type == config.ServeDHCP:
				r.serveDHCP(v, f, &h)
			case h.Type == config.ServeDNS:
				r.serveDNS(v, f)
			}
		}
	}
}

func (r *Router) serveDHCP(v *host.View, f *policy.Interface, h *config.HostService) {
	l, there := v.Links[f.Target]
	want := dhcpdOptions(r.set.RunDir, f, h, l)
	r.keepServing(f, config.ServeDHCP, want, there && v.State(f).Up && l.Type == host.Ethernet, func() *daemon {
		opt := want
		opt.Log = r.log
		s := dhcpd.NewDaemon(opt)
		return r.launch(&daemon{dhcp: s}, s.Run)
	})
}

// serveDNS forwards the questions of an interface's hosts.
func (r *Router) serveDNS(v *host.View, f *policy.Interface) {
	l, there := v.Links[f.Target]
	want := dnsd.Options{Interface: f.Target}
	for _, a := range f.Addresses {
		want.Addrs = append(want.Addrs, a.Prefix.Addr())
	}
	on := there && f.VLAN == 0 && v.State(f).Up
	r.keepServing(f, config.ServeDNS, dnsOn{want, l.Index}, on, func() *daemon {
		opt := want
		opt.Client, opt.Log = r.client, r.log
		s := dnsd.NewForwarder(opt)
		return r.launch(&daemon{dns: s}, s.Run)
	})
}

// dnsOn tells one forwarder from another.
type dnsOn struct {
	dnsd.Options
	index int
}

// keepServing makes a service run as it should. One that ended by itself,
// because another program has the port, is tried again.
func (r *Router) keepServing(f *policy.Interface, kind string, want any, wanted bool, start func() *daemon) {
	name := service{f.ID, kind}
	d := r.daemons.runs[name]
	if d != nil && (!wanted || d.again() || !reflect.DeepEqual(d.what, want)) {
		d.stop()
		r.daemons.put(name, nil)
		d = nil
	}
	if d == nil && wanted {
		d = start()
		d.what = want
		r.daemons.put(name, d)
	}
	r.journal.set(event.ServiceDown(kind, f.Name), d != nil && d.gone())
}

// launch runs a service until it is stopped.
func (r *Router) launch(d *daemon, run func(context.Context) error) *daemon {
	ctx, cancel := context.WithCancel(context.Background())
	d.born, d.dead = time.Now(), make(chan struct{})
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

func (d *daemons) put(name service, x *daemon) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x == nil {
		delete(d.runs, name)
		return
	}
	d.runs[name] = x
}

// running returns a service that serves; nil: it does not.
func (d *daemons) running(id policy.IfID, kind string) *daemon {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.runs[service{id, kind}]; x != nil && !x.gone() {
		return x
	}
	return nil
}

func (d *daemons) close() {
	for _, x := range d.runs {
		x.stop()
	}
}

// showDNS lists the resolvers in the order in which they are asked.
func (r *Router) showDNS(a *answer) error {
	list, stats := r.client.Look()
	for i, up := range list {
		s := stats[i]
		state, rtt := "unused", any(nil)
		switch {
		case !s.Silent.IsZero():
			state = "silent"
		case s.Queries > 0:
			state, rtt = "answers", float64(s.RTT.Microseconds())/1000
		}
		err := a.row(r.tables.RouterName, r.tables.NodeName, up.WAN, up.Server.String(), addrOrNull(up.Source), state, s.Queries, s.Failures, rtt)
		if err != nil {
			return err
		}
	}
	return nil
}

// dnsStats are the counters of the forwarders, for show stats.
func (r *Router) dnsStats(row func(name string, value uint64) error) error {
	var sum dnsd.Stats
	for i := range r.tables.Interfaces {
		if d := r.daemons.running(r.tables.Interfaces[i].ID, config.ServeDNS); d != nil {
			s := d.dns.Stats()
			sum.Queries, sum.Cached, sum.Forwarded, sum.Failed = sum.Queries+s.Queries, sum.Cached+s.Cached, sum.Forwarded+s.Forwarded, sum.Failed+s.Failed
			sum.Refused, sum.Malformed, sum.Dropped = sum.Refused+s.Refused, sum.Malformed+s.Malformed, sum.Dropped+s.Dropped
		}
	}
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"dns/queries", sum.Queries}, {"dns/cached", sum.Cached}, {"dns/forwarded", sum.Forwarded}, {"dns/failed", sum.Failed},
		{"dns/refused", sum.Refused}, {"dns/malformed", sum.Malformed}, {"dns/dropped", sum.Dropped},
	} {
		if err := row(c.name, c.value); err != nil {
			return err
		}
	}
	return nil
}
