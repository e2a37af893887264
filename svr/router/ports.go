package router

import (
	"errors"
	"net/netip"

	"waymark/svr/host"
	"waymark/svr/lane"
	"waymark/svr/policy"
)

// port is a Linux interface as the lane has it, or why it has not.
type port struct {
	index int
	lane  *lane.Port
	err   error
	// alone: the kernel takes no program there, so the service lane receives.
	alone bool
	// receives: the service lane does, alone or until a program is there.
	receives bool
	cuts     bool // it was given the cutter
}

func (p *port) reason() string {
	if p == nil {
		return host.ReasonNoDevice
	}
	return p.err.Error()
}

// openPorts gives the lane the devices that are there and takes away those that
// are gone. A device that came back with another index is another one.
func (r *Router) openPorts(v *host.View) {
	for _, name := range host.Targets(r.tables) {
		l, there := v.Links[name]
		if p := r.ports[name]; p != nil {
			if there && p.index == l.Index && p.err == nil {
				continue
			}
			r.closePort(name)
		}
		if there && l.Up {
			r.openPort(name, &port{index: l.Index})
		}
	}
}

func (r *Router) closePort(name string) {
	if p := r.ports[name].lane; p != nil {
		_ = r.lane.Do(func() { r.lane.Detach(p) }) // fails only when the lane has ended
	}
	delete(r.ports, name)
}

func (r *Router) openPort(name string, p *port) {
	r.ports[name] = p
	p.receives = r.fast == nil || p.alone || r.fast.asleep
	p.lane, p.err = lane.OpenPort(lane.PortConfig{
		Name: name, Interfaces: r.laneInterfaces(name), RingBytes: r.prof.Ring, QueueBytes: r.prof.Queue,
		SendOnly: !p.receives, Workers: r.set.Workers,
	})
	if p.err == nil {
		if err := r.lane.Do(func() { p.err = r.lane.Attach(p.lane) }); err != nil {
			p.err = err
		}
	}
	if p.err != nil {
		p.lane = nil
		if errors.Is(p.err, lane.ErrClosed) {
			return // the router ends
		}
		r.log.Warn("cannot use device", "device", name, "error", p.err)
		return
	}
	r.log.Info("device opened", "device", name)
}

// serveAlone makes the service lane receive on a device that takes no program
// of the lane in the kernel, for as long as the device lasts.
func (r *Router) serveAlone(name string, why error) {
	p := r.ports[name]
	r.log.Warn("service lane alone on device", "device", name, "reason", why)
	err := r.fast.Detach(p.index)
	delete(r.fast.ports, name)
	r.closePort(name)
	r.openPort(name, &port{index: p.index, alone: true})
	if err != nil {
		r.log.Warn("cannot take the old program off device", "device", name, "error", err)
	}
}

// laneInterfaces are the network-interfaces on a device.
func (r *Router) laneInterfaces(device string) (list []lane.Interface) {
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if f.Target != device || !f.Enabled {
			continue
		}
		var addrs []netip.Prefix
		for _, a := range r.addresses(f) {
			addrs = append(addrs, a.Prefix)
		}
		list = append(list, lane.Interface{
			ID: laneID(uint16(f.ID)), VLAN: f.VLAN, Addrs: addrs, Coalesce: r.isLAN(f),
			CoalesceUDP: r.hasPeers(f), CoalesceSealed: r.hasPeers(f),
		})
	}
	return list
}

// addresses are those that an interface has by configuration or, as told last,
// by DHCP. The reconciler alone asks.
func (r *Router) addresses(f *policy.Interface) []policy.Address {
	if f.DHCP {
		return r.status[f.ID].Addrs
	}
	return f.Addresses
}

// isLAN tells an interface with hosts behind it from one with an ISP, where
// packets must keep their sizes.
func (r *Router) isLAN(f *policy.Interface) bool {
	return !f.SourceNAT && f.RecvPolicy == policy.NoSecurity && !r.hasPeers(f)
}

// hasPeers tells an interface that paths begin on.
func (r *Router) hasPeers(f *policy.Interface) bool {
	for i := range r.tables.Paths {
		if r.tables.Paths[i].If == f.ID {
			return true
		}
	}
	return false
}
