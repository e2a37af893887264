package router

import (
	"errors"
	"net/netip"

	"waymark/svr/host"
	"waymark/svr/lane/fast"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// followFast brings the lane in the kernel to what view says, on the
// reconciler's goroutine: own addresses first, then ways out, then the programs
// on the devices, if there are any yet.
func (r *Router) followFast(v *host.View) error {
	f := r.fast
	if f == nil {
		return nil
	}
	r.lookAtDevices(v)
	err := r.followOwn(v)
	for i := range r.tables.Interfaces {
		err = errors.Join(err, r.followNetif(v, &r.tables.Interfaces[i]))
	}
	if f.asleep {
		return err
	}
	for name := range f.ports {
		if p := r.ports[name]; p == nil || p.lane == nil || p.index != f.ports[name].Index {
			err = errors.Join(err, f.Detach(f.ports[name].Index))
			delete(f.ports, name)
		}
	}
	for name, p := range r.ports {
		if p.lane == nil || p.alone {
			continue
		}
		if e := r.followPort(v, name, p); e != nil {
			r.serveAlone(name, e)
		}
	}
	r.followCutter()
	return errors.Join(err, r.detachOthers(v))
}

// followCutter gives the ports whose ways out are known the cutter, which is made
// when there are programs: a start has more urgent things to do.
func (r *Router) followCutter() {
	f := r.fast
	if !f.cutterTried {
		f.cutterTried = true
		r.openCutter()
	}
	for _, p := range r.ports {
		if f.cutter != 0 && p.lane != nil && !p.cuts {
			p.cuts = true
			_ = r.onLane(func() { p.lane.SetCutter(f.cutter) }) // fails only when the lane has ended
		}
	}
}

// openCutter makes the cutter, if there are paths to use it on.
func (r *Router) openCutter() {
	f := r.fast
	err := error(nil)
	if len(r.tables.Paths) == 0 {
		err = f.CloseCutter()
	} else {
		f.cutter, err = f.OpenCutter()
	}
	if err != nil {
		r.log.Info("encrypted TCP leaves segment by segment", "reason", err)
	}
}

// detachOthers takes the programs that an earlier process left off devices that
// are none of ours now.
func (r *Router) detachOthers(v *host.View) (err error) {
	ours := map[int]bool{}
	for _, l := range v.Devices(r.tables) {
		ours[l.Index] = true
	}
	for _, index := range r.fast.Attached() {
		if !ours[index] {
			err = errors.Join(err, r.fast.Detach(index))
		}
	}
	return err
}

// followOwn names the own addresses and their ports.
func (r *Router) followOwn(v *host.View) (err error) {
	want := map[netip.Addr]fast.Own{}
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if !f.Enabled {
			continue
		}
		for _, a := range v.State(f).Addrs {
			want[a.Prefix.Addr()] = ownPorts(r.tables, f)
		}
	}
	for a, o := range want {
		if old, ok := r.fast.own[a]; ok && sameOwn(old, o) {
			continue
		}
		if e := r.fast.SetOwn(a, o); e != nil {
			err = errors.Join(err, e)
			continue
		}
		r.fast.own[a] = o
	}
	there, e := r.fast.OwnAddresses()
	err = errors.Join(err, e)
	for _, a := range there {
		if _, ok := want[a]; !ok {
			err = errors.Join(err, r.fast.RemoveOwn(a))
			delete(r.fast.own, a)
		}
	}
	return err
}

// ownPorts are the ports of an interface's addresses that are the lane's.
func ownPorts(t *policy.Tables, f *policy.Interface) fast.Own {
	o := fast.Own{Breakout: f.SourceNAT}
	for i := range t.Paths {
		p := &t.Paths[i]
		if p.If != f.ID {
			continue
		}
		o.Waypoint = true
		for _, r := range p.LocalPorts {
			k := fast.PortRange{First: r.First, Last: r.Last}
			if !containsRange(o.Ranges, k) && !(k.First >= pool.WayportFirst && k.Last <= pool.WayportLast) {
				o.Ranges = append(o.Ranges, k)
			}
		}
	}
	return o
}

func containsRange(list []fast.PortRange, k fast.PortRange) bool {
	for _, r := range list {
		if r == k {
			return true
		}
	}
	return false
}

func sameOwn(a, b fast.Own) bool {
	if a.Waypoint != b.Waypoint || a.Breakout != b.Breakout || len(a.Ranges) != len(b.Ranges) {
		return false
	}
	for _, k := range a.Ranges {
		if !containsRange(b.Ranges, k) {
			return false
		}
	}
	return true
}

// followNetif tells how packets leave by a network-interface, or that they
// cannot.
func (r *Router) followNetif(v *host.View, f *policy.Interface) error {
	var want fast.NetifConfig
	if p := r.ports[f.Target]; f.Enabled && p != nil && p.lane != nil {
		want = fast.NetifConfig{Index: p.index, MAC: v.Links[f.Target].MAC, VLAN: f.VLAN,
			MTU: uint16(min(v.State(f).MTU, 65535)), L3: p.lane.L3(), XDP: r.takesXDP(f.Target)}
	}
	old := r.fast.netifs[f.ID]
	if old == want {
		return nil
	}
	err := r.fast.SetNetif(uint16(f.ID), want)
	if f.VLAN != 0 && old.Index != 0 && old.Index != want.Index {
		err = errors.Join(err, r.fast.RemoveVLAN(old.Index, f.VLAN))
	}
	if f.VLAN != 0 && want.Index != 0 {
		err = errors.Join(err, r.fast.SetVLAN(want.Index, f.VLAN, uint16(f.ID), true))
	}
	if err == nil {
		r.fast.netifs[f.ID] = want
	}
	return err
}

// followPort puts the programs on a device.
func (r *Router) followPort(v *host.View, name string, p *port) error {
	want := r.wantPort(v, name, p)
	if r.fast.ports[name] == want {
		return nil
	}
	if want.XDP {
		err := r.attachXDP(name, p, want)
		if err == nil {
			return nil
		}
		r.log.Info("device takes no XDP program", "device", name, "reason", err)
		r.fast.devices[name].fit, want.XDP = false, false
		for i := range r.tables.Interfaces { // XDP frames neither
			if f := &r.tables.Interfaces[i]; f.Target == name {
				if err := r.followNetif(v, f); err != nil {
					return err
				}
			}
		}
	}
	if err := r.attach(p, want); err != nil {
		return err
	}
	r.fast.ports[name] = want
	return nil
}

// wantPort says what programs a device is to have.
func (r *Router) wantPort(v *host.View, name string, p *port) fast.PortConfig {
	want := fast.PortConfig{Index: p.index, MAC: v.Links[name].MAC, Untagged: fast.NoNetif, L3: p.lane.L3(),
		XDP: r.wantsXDP(name), Ring: true}
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if !f.Enabled || f.Target != name {
			continue
		}
		if f.VLAN == 0 {
			want.Untagged = uint16(f.ID)
		}
	}
	return want
}

// attachXDP puts both programs on a device.
func (r *Router) attachXDP(name string, p *port, want fast.PortConfig) error {
	if err := r.kernel.KeepTags(name); err != nil {
		return err
	}
	if err := r.attach(p, want); err != nil {
		return err
	}
	r.fast.ports[name] = want
	return nil
}

// follow is followFast with its error told: sessions go on in the service lane.
func (r *Router) follow(v *host.View) {
	if err := r.followFast(v); err != nil {
		r.log.Warn("cannot follow the network in the fast lane", "error", err)
	}
}
