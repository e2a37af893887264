package router

import (
	"net/netip"
	"slices"

	"waymark/net/addr"
	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/pppoe"
	"waymark/net/route"
	"waymark/net/rtnl"
	"waymark/svr/policy"
)

// Reasons of a network-interface that is down, beside those of package path.
const (
	reasonAdmin     = "admin"
	reasonNoDevice  = "no-device"
	reasonNoCarrier = "no-carrier"
	reasonNoAddress = "no-address"
)

// view is one look at the kernel's interfaces.
type view struct {
	links    map[string]link.Link
	addrs    map[int][]netip.Prefix
	defaults []route.Route
	theirs   map[int][]netip.Prefix // IPv4 addresses that are not ours
	// leases are in use: of our DHCP clients, and of PPPoE sessions in the form
	// of leases that never end.
	leases   map[policy.IfID]*dhcp4.Lease
	sessions map[policy.IfID]*pppoe.Session // of PPPoE
}

func look(c *rtnl.Conn) (*view, error) {
	v := &view{links: map[string]link.Link{}, addrs: map[int][]netip.Prefix{}, theirs: map[int][]netip.Prefix{}}
	links, err := link.List(c)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		v.links[l.Name] = l
	}
	addrs, err := addr.List(c)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		v.addrs[a.Index] = append(v.addrs[a.Index], a.Prefix)
		if !a.Ours && usable4(a.Prefix.Addr()) {
			v.theirs[a.Index] = append(v.theirs[a.Index], a.Prefix)
		}
	}
	v.defaults, err = route.Defaults(c)
	return v, err
}

// ifState is what holds for one network-interface.
type ifState struct {
	up     bool
	reason string // why it is not up
	mtu    int    // bytes of IP packet, 0 without a device
	addrs  []policy.Address
}

func (s ifState) equal(o ifState) bool {
	return s.up == o.up && s.reason == o.reason && s.mtu == o.mtu && slices.Equal(s.addrs, o.addrs)
}

// state judges network-interface f. It is pure.
func (v *view) state(f *policy.Interface) ifState {
	l, there := v.links[f.Target]
	s := ifState{addrs: f.Addresses}
	if there {
		s.mtu = min(f.MTU, l.MTU)
	}
	if f.PPPoE != nil {
		return v.dialled(f, s)
	}
	if hasClient(f) && there {
		s.addrs = v.leased(v.leases[f.ID], l.Index)
		s.mtu = v.leases[f.ID].LimitMTU(s.mtu)
	}
	switch {
	case !f.Enabled:
		s.reason = reasonAdmin
	case !there:
		s.reason = reasonNoDevice
	case !l.Usable():
		s.reason = reasonNoCarrier
	case len(s.addrs) == 0:
		s.reason = reasonNoAddress
	default:
		s.up = true
	}
	return s
}

// leased returns the address of a lease, which may not be on its interface yet,
// and the IPv4 addresses that somebody else put there, with the gateway of the
// interface's best default route.
func (v *view) leased(lease *dhcp4.Lease, index int) (list []policy.Address) {
	if lease != nil {
		list = append(list, policy.Address{Prefix: lease.Address, Gateway: lease.Gateway, Waypoint: true})
	}
	gw := v.gateway(index)
	for _, p := range v.addrs[index] {
		if usable4(p.Addr()) && (lease == nil || p.Addr() != lease.Address.Addr()) {
			list = append(list, policy.Address{Prefix: p, Gateway: gw, Waypoint: true})
		}
	}
	return list
}

func usable4(a netip.Addr) bool { return a.Is4() && !a.IsLinkLocalUnicast() }

func (v *view) gateway(index int) (gw netip.Addr) {
	best := ^uint32(0)
	for _, r := range v.defaults {
		if r.Index == index && r.Gateway.Is4() && (r.Metric < best || !gw.IsValid()) {
			gw, best = r.Gateway, r.Metric
		}
	}
	return gw
}

// devices returns the Linux interfaces that the enabled network-interfaces lie
// on and that exist, each once; with a PPPoE session's also that of its line.
func (v *view) devices(t *policy.Tables) (list []link.Link) {
	for _, name := range append(targets(t), lines(t)...) {
		if l, ok := v.links[name]; ok {
			list = append(list, l)
		}
	}
	return list
}

// targets returns the names of the Linux interfaces below enabled
// network-interfaces, each once, in the order of the configuration.
func targets(t *policy.Tables) (names []string) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if f.Enabled && !slices.Contains(names, f.Target) {
			names = append(names, f.Target)
		}
	}
	return names
}
