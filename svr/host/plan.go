package host

import (
	"net/netip"
	"slices"

	"waymark/mgmt/config"
	"waymark/net/addr"
	"waymark/net/deny"
	"waymark/net/guard"
	"waymark/net/route"
	"waymark/net/sysctl"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/watch"
)

const (
	// guardOwner names the nftables tables of the one router of a namespace.
	guardOwner = "router"
	// routeMetric of our default routes: behind one that an administrator set
	// without metric, before those of DHCP clients.
	routeMetric = 100
	// leaseMetric of routes that a DHCP server told, on the first interface.
	leaseMetric = 200
)

// Ports of an own address that are the lane's (docs/wire.md 8).
var (
	wayports = guard.Range{First: pool.WayportFirst, Last: pool.WayportLast}
	natPorts = guard.Range{First: pool.NATFirst, Last: pool.NATLast}
)

// wantAddresses are the addresses that belong on devices of the kernel.
func wantAddresses(t *policy.Tables, v *View) (list []addr.Address) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		l, ok := v.Links[f.Target]
		if !ok || !f.Enabled || f.VLAN != 0 {
			continue
		}
		if f.DHCP {
			list = append(list, v.Leases[f.ID].Addresses(l.Index)...)
			list = append(list, v.linkLocal(f.ID, l.Index)...)
			continue
		}
		for _, a := range v.configured(f) {
			list = append(list, addr.Address{Index: l.Index, Prefix: a.Prefix})
		}
	}
	return list
}

// wantRoutes are default routes for the box's own traffic, one per family and
// interface: the first gateway whose interface is up is the best. The others
// are for what must leave by its own interface, such as BFD.
func wantRoutes(t *policy.Tables, v *View) (list []route.Route) {
	var count4, count6 uint32
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if f.VLAN != 0 || f.DHCP || !v.State(f).Up {
			continue
		}
		var have4, have6 bool
		for _, a := range v.configured(f) {
			have, count := &have4, &count4
			any := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
			if a.Gateway.Is6() {
				have, count, any = &have6, &count6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			}
			if !a.Gateway.IsValid() || *have {
				continue
			}
			*have = true
			list = append(list, route.Route{Dst: any, Gateway: a.Gateway, Index: v.Links[f.Target].Index, Metric: routeMetric + *count})
			*count = min(*count+1, leaseMetric-routeMetric-1)
		}
	}
	return append(list, leaseRoutes(t, v)...)
}

// leaseRoutes are the routes that servers told, each interface behind the ones
// before it.
func leaseRoutes(t *policy.Tables, v *View) (list []route.Route) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if lease := v.Leases[f.ID]; lease != nil && f.VLAN == 0 && v.State(f).Up {
			index, metric := v.Links[f.Target].Index, uint32(leaseMetric+i)
			list = append(list, lease.DefaultRoutes(index, metric)...)
			list = append(list, lease.StaticRoutes(index, metric)...)
		}
	}
	return list
}

// wantGuard says which packets the kernel must not see.
func wantGuard(t *policy.Tables, v *View) guard.Config {
	c := guard.Config{Owner: guardOwner}
	for _, l := range v.Devices(t) {
		c.Devices = append(c.Devices, l.Name)
	}
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if !f.Enabled || f.VLAN != 0 {
			continue
		}
		if HasClient(f) {
			c.Clients = append(c.Clients, f.Target)
		}
		ports := lanePorts(t, f)
		for _, a := range v.State(f).Addrs {
			c.Addrs = append(c.Addrs, guard.Address{Addr: a.Prefix.Addr(), Ports: ports})
		}
	}
	return c
}

// lanePorts are the ports of an interface's addresses that are not the host's.
func lanePorts(t *policy.Tables, f *policy.Interface) (list []guard.Range) {
	if f.SourceNAT {
		list = append(list, natPorts)
	}
	waypoint := false
	for i := range t.Paths {
		p := &t.Paths[i]
		if p.If != f.ID {
			continue
		}
		waypoint = true
		for _, r := range p.LocalPorts {
			list = append(list, guard.Range{First: r.First, Last: r.Last})
		}
	}
	if waypoint {
		list = append(list, wayports)
	}
	return list
}

// wantSysctls are the parameters of the namespace and of the devices there.
func wantSysctls(t *policy.Tables, v *View) []sysctl.Setting {
	var ifs []sysctl.Interface
	for _, l := range v.Devices(t) {
		ifs = append(ifs, sysctl.Interface{Name: l.Name})
	}
	return sysctl.Router(ifs, reservedPorts(t))
}

// reservedPorts are the configured wayports that the kernel would otherwise
// give to sockets of the box.
func reservedPorts(t *policy.Tables) (list []sysctl.Range) {
	for i := range t.Paths {
		for _, r := range t.Paths[i].LocalPorts {
			first, last := max(r.First, sysctl.OwnPorts.First), min(r.Last, sysctl.OwnPorts.Last)
			if first <= last {
				list = append(list, sysctl.Range{First: first, Last: last})
			}
		}
	}
	return list
}

// wantOpenings: on a box, which denies by default, own addresses answer echo
// requests where the configuration does not drop ICMP.
func wantOpenings(t *policy.Tables) (list []deny.Opening) {
	for i := range t.Interfaces {
		if f := &t.Interfaces[i]; f.Enabled && f.VLAN == 0 && !f.DropICMP {
			list = append(list, deny.Opening{Interface: f.Target, Protocol: deny.Echo})
		}
	}
	return append(append(list, bfdOpenings(t)...), dnsOpenings(t)...)
}

// bfdOpenings let BFD in where there are paths that it watches.
func bfdOpenings(t *policy.Tables) (list []deny.Opening) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if !f.Enabled || f.VLAN != 0 || !slices.ContainsFunc(t.Paths, func(p policy.Path) bool { return p.If == f.ID && watch.Watched(t, &p) }) {
			continue
		}
		for _, port := range watch.Ports(f) {
			list = append(list, deny.Opening{Interface: f.Target, Protocol: deny.UDP, Port: port})
		}
	}
	return list
}

// dnsOpenings let the hosts of LANs ask the forwarder. The DHCP server hears
// frames and needs none.
func dnsOpenings(t *policy.Tables) (list []deny.Opening) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		for _, h := range f.Config.HostServices {
			if h.Enabled && h.Type == config.ServeDNS && f.Enabled && f.VLAN == 0 {
				list = append(list, deny.Opening{Interface: f.Target, Protocol: deny.UDP, Port: dnsPort},
					deny.Opening{Interface: f.Target, Protocol: deny.TCP, Port: dnsPort})
			}
		}
	}
	return list
}

const dnsPort = 53
