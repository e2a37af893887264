package router

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"waymark/net/link"
	"waymark/net/neigh"
	"waymark/svr/host"
	"waymark/svr/lane/fast"
)

// XDP or TC, for each pair of devices. XDP is cheaper per packet, but sees
// neither super-packets nor unfinished checksums and needs a driver that takes
// its frames: it serves pairs of network cards. A card gets an XDP program
// beside the TC one. What it may send straight to a device is said by that
// device's network-interfaces; the rest passes up with its verdict, and TC sends
// it.

const (
	probeWait  = 300 * time.Millisecond // for the answer to a test frame
	probes     = 3                      // that must stay without one
	probeAgain = 30 * time.Second       // after one that did not arrive
)

// device is what is known of XDP on a Linux interface.
type device struct {
	index int
	// fit: XDP could pay there, and its driver took the program so far.
	fit bool
	// takes: test frames arrived at a next-hop.
	takes   bool
	probing bool
	asked   time.Time // when a test frame was sent last, zero: never
}

// probed is what a test frame showed.
type probed struct {
	name  string
	index int
	takes bool
	err   error
}

// cannotXDP are drivers whose devices carry super-packets between partners, or
// whose packets come from the kernel's own stack anyway.
var cannotXDP = []string{"virtio_net", "veth", "tun", "bridge", "bonding", "802.1Q VLAN Support"}

// lookAtDevices keeps r.fast.devices to what is there. What an earlier process
// found out about a device still holds.
func (r *Router) lookAtDevices(v *host.View) {
	for name, p := range r.ports {
		l := v.Links[name]
		d := r.fast.devices[name]
		if p.lane == nil || l.Index != p.index {
			delete(r.fast.devices, name)
			continue
		}
		if d == nil || d.index != p.index {
			d = &device{index: p.index, fit: r.fitsXDP(l, p)}
			_, d.takes = r.fast.XDP(p.index)
			r.fast.devices[name] = d
		}
		if !l.Usable() {
			d.takes, d.asked = false, time.Time{} // another partner may come
		}
	}
}

// fitsXDP says whether XDP could serve a device.
func (r *Router) fitsXDP(l link.Link, p *port) bool {
	if r.set.Lanes == LanesTC || p.alone || p.lane.L3() || r.tagged(l.Name) {
		return false
	}
	if r.set.Lanes == LanesXDP {
		return true
	}
	driver, err := fast.Driver(l.Name)
	return err == nil && l.Kind == "" && !slices.Contains(cannotXDP, driver)
}

// tagged says whether a device carries a tagged network-interface: test frames
// are untagged.
func (r *Router) tagged(name string) bool {
	for i := range r.tables.Interfaces {
		if f := &r.tables.Interfaces[i]; f.Enabled && f.Target == name && f.VLAN != 0 {
			return true
		}
	}
	return false
}

// takesXDP says whether XDP programs may send to a device.
func (r *Router) takesXDP(name string) bool {
	d := r.fast.devices[name]
	return d != nil && d.fit && d.takes
}

// wantsXDP says whether a device gets an XDP program: while any device may turn
// out to take its frames. Many drivers take none without a program of their own.
func (r *Router) wantsXDP(name string) bool {
	d := r.fast.devices[name]
	if d == nil || !d.fit {
		return false
	}
	for _, o := range r.fast.devices {
		if o.fit && (o.takes || o.asked.IsZero() || o.probing) {
			return true
		}
	}
	return false
}

// probe sends a test frame to a next-hop of each device that might take XDP
// frames, beside everything else.
func (r *Router) probe(ctx context.Context) {
	if r.fast == nil {
		return
	}
	for name, d := range r.fast.devices {
		if !d.fit || d.takes || d.probing || time.Since(d.asked) < probeAgain {
			continue
		}
		own, hop, ok := r.nextHopOn(d.index)
		if !ok {
			continue
		}
		d.probing = true
		p := probed{name: name, index: d.index}
		mac := r.seen.Links[name].MAC
		go func() {
			for n := 0; n < probes && !p.takes && p.err == nil; n++ {
				p.takes, p.err = fast.TakesXDP(p.index, mac, own, hop, probeWait)
			}
			select {
			case r.probed <- p:
			case <-ctx.Done():
			}
		}()
	}
}

// nextHopOn returns a neighbour of a device that answers, and our address there.
func (r *Router) nextHopOn(index int) (own, hop netip.Addr, ok bool) {
	list, err := neigh.List(r.kernel.Conn())
	if err != nil {
		return own, hop, false
	}
	for _, n := range list {
		if n.Index != index || n.State != neigh.Resolved {
			continue
		}
		for _, p := range r.seen.Addrs[index] {
			if p.Contains(n.Addr) && p.Addr() != n.Addr {
				return p.Addr(), n.Addr, true
			}
		}
	}
	return own, hop, false
}

// tookXDP acts on what a test frame showed.
func (r *Router) tookXDP(p probed) {
	d := r.fast.devices[p.name]
	if d == nil || d.index != p.index {
		return
	}
	first := d.asked.IsZero()
	d.probing, d.takes, d.asked = false, p.takes, time.Now()
	if p.takes || first {
		r.log.Info("test frame sent", "device", p.name, "takes-xdp", p.takes, "error", p.err)
	}
	r.follow(r.seen)
}
