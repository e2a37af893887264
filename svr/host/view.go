package host

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
	ReasonAdmin     = "admin"
	ReasonNoDevice  = "no-device"
	ReasonNoCarrier = "no-carrier"
	ReasonNoAddress = "no-address"
)

// View is one look at the kernel's interfaces.
type View struct {
	Links    map[string]link.Link
	Addrs    map[int][]netip.Prefix
	defaults []route.Route
	theirs   map[int][]netip.Prefix // IPv4 addresses that are not ours
	// Leases are in use: of our DHCP clients, and of PPPoE sessions in the form
	// of leases that never end.
	Leases   map[policy.IfID]*dhcp4.Lease
	sessions map[policy.IfID]*pppoe.Session   // of PPPoE
	given    map[policy.IfID][]policy.Address // by a new configuration, under way
}

// Look looks at the kernel alone: nobody's leases are in the view.
func Look(c *rtnl.Conn) (*View, error) {
	v := &View{Links: map[string]link.Link{}, Addrs: map[int][]netip.Prefix{}, theirs: map[int][]netip.Prefix{}}
	links, err := link.List(c)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		v.Links[l.Name] = l
	}
	addrs, err := addr.List(c)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		v.Addrs[a.Index] = append(v.Addrs[a.Index], a.Prefix)
		if !a.Ours && usable4(a.Prefix.Addr()) {
			v.theirs[a.Index] = append(v.theirs[a.Index], a.Prefix)
		}
	}
	v.defaults, err = route.Defaults(c)
	return v, err
}

// State is what holds for one network-interface.
type State struct {
	Up     bool
	Reason string // why it is not up
	MTU    int    // bytes of IP packet, 0 without a device
	Addrs  []policy.Address
}

// Equal says whether nothing is different.
func (s State) Equal(o State) bool {
	return s.Up == o.Up && s.Reason == o.Reason && s.MTU == o.MTU && slices.Equal(s.Addrs, o.Addrs)
}

// State judges network-interface f. It is pure.
func (v *View) State(f *policy.Interface) State {
	l, there := v.Links[f.Target]
	s := State{Addrs: v.configured(f)}
	if there {
		s.MTU = min(f.MTU, l.MTU)
	}
	if f.PPPoE != nil {
		return v.dialled(f, s)
	}
	if HasClient(f) && there {
		s.Addrs = v.leased(f, v.Leases[f.ID], l.Index)
		s.MTU = v.Leases[f.ID].LimitMTU(s.MTU)
	}
	switch {
	case !f.Enabled:
		s.Reason = ReasonAdmin
	case !there:
		s.Reason = ReasonNoDevice
	case !l.Usable():
		s.Reason = ReasonNoCarrier
	case len(s.Addrs) == 0:
		s.Reason = ReasonNoAddress
	default:
		s.Up = true
	}
	return s
}

// configured returns the addresses that the configuration gives.
func (v *View) configured(f *policy.Interface) []policy.Address {
	if given, ok := v.given[f.ID]; ok {
		return given
	}
	return f.Addresses
}

// leased returns the address of a lease, which may not be on its interface yet,
// and the IPv4 addresses that somebody else put there, with the gateway of the
// interface's best default route. On a tag the kernel has none.
func (v *View) leased(f *policy.Interface, lease *dhcp4.Lease, index int) (list []policy.Address) {
	if lease != nil {
		list = append(list, policy.Address{Prefix: lease.Address, Gateway: lease.Gateway, Waypoint: true})
	}
	if f.VLAN != 0 {
		return list
	}
	gw := v.gateway(index)
	for _, p := range v.Addrs[index] {
		if usable4(p.Addr()) && (lease == nil || p.Addr() != lease.Address.Addr()) {
			list = append(list, policy.Address{Prefix: p, Gateway: gw, Waypoint: true})
		}
	}
	return list
}

func usable4(a netip.Addr) bool { return a.Is4() && !a.IsLinkLocalUnicast() }

func (v *View) gateway(index int) (gw netip.Addr) {
	best := ^uint32(0)
	for _, r := range v.defaults {
		if r.Index == index && r.Gateway.Is4() && (r.Metric < best || !gw.IsValid()) {
			gw, best = r.Gateway, r.Metric
		}
	}
	return gw
}

// Devices returns the Linux interfaces that the enabled network-interfaces lie
// on and that exist, each once; with a PPPoE session's also that of its line.
func (v *View) Devices(t *policy.Tables) (list []link.Link) {
	for _, name := range append(Targets(t), lines(t)...) {
		if l, ok := v.Links[name]; ok {
			list = append(list, l)
		}
	}
	return list
}

// Targets returns the names of the Linux interfaces below enabled
// network-interfaces, each once, in the order of the configuration.
func Targets(t *policy.Tables) (names []string) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if f.Enabled && !slices.Contains(names, f.Target) {
			names = append(names, f.Target)
		}
	}
	return names
}

// Overlapping names the first other interface with a subnet that overlaps the
// one leased on interface id; empty: there is none. It is pure.
func (v *View) Overlapping(t *policy.Tables, id policy.IfID) string {
	leased := v.Leases[id].Address
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if f.ID == id || !f.Enabled {
			continue
		}
		for _, a := range v.State(f).Addrs {
			if a.Prefix.Overlaps(leased) {
				return f.Name
			}
		}
	}
	return ""
}
