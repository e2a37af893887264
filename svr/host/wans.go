package host

import (
	"net/netip"
	"slices"

	"waymark/net/resolve"
	"waymark/net/route"
	"waymark/net/rule"
	"waymark/svr/policy"
)

// sourceTables is the first of the routing tables, and of the priorities of the
// rules, by which packets of a WAN's address leave by that WAN: one for each
// network-interface.
const sourceTables = 0x5700

// wan is a network-interface that is up and leads somewhere by a gateway, as the
// host's own traffic sees it. Those on a tag are none: the kernel has no address
// there.
type wan struct {
	f        *policy.Interface
	index    int
	addrs    []policy.Address
	gateways []netip.Addr // the first of each family
}

// wans lists the WANs in the order in which the host's own traffic prefers them:
// as wantRoutes does, configured gateways before leased ones. The first is the
// live one. It is pure.
func wans(t *policy.Tables, v *View) (list []wan) {
	var leased []wan
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		s := v.State(f)
		if f.VLAN != 0 || !s.Up {
			continue
		}
		w := wan{f: f, index: v.Links[f.Target].Index, addrs: s.Addrs, gateways: firstGateways(s.Addrs)}
		switch {
		case len(w.gateways) == 0:
		case f.DHCP:
			leased = append(leased, w)
		default:
			list = append(list, w)
		}
	}
	return append(list, leased...)
}

func firstGateways(addrs []policy.Address) (list []netip.Addr) {
	for _, a := range addrs {
		same := func(g netip.Addr) bool { return g.Is4() == a.Gateway.Is4() }
		if a.Gateway.IsValid() && !slices.ContainsFunc(list, same) {
			list = append(list, a.Gateway)
		}
	}
	return list
}

// gateway returns the WAN's gateway of one family; zero: it has none.
func (w *wan) gateway(v4 bool) netip.Addr {
	for _, g := range w.gateways {
		if g.Is4() == v4 {
			return g
		}
	}
	return netip.Addr{}
}

func (w *wan) table() uint32 { return sourceTables + uint32(w.f.ID) }

// wantRules send what has a WAN's address as its source by that WAN.
func wantRules(t *policy.Tables, v *View) (list []rule.Rule) {
	for _, w := range wans(t, v) {
		for _, a := range w.addrs {
			ip := a.Prefix.Addr()
			if w.gateway(ip.Is4()).IsValid() {
				list = append(list, rule.Rule{Source: netip.PrefixFrom(ip, ip.BitLen()), Table: w.table(), Priority: w.table()})
			}
		}
	}
	return list
}

// sourceRoutes are the tables that those rules name: the WAN's own subnets, its
// default route and what its server told, and the subnets of the LANs, whose
// hosts may have asked.
func sourceRoutes(t *policy.Tables, v *View) (list []route.Route) {
	all := wans(t, v)
	for i := range all {
		w := &all[i]
		for _, a := range w.addrs {
			list = append(list, route.Route{Dst: a.Prefix.Masked(), Index: w.index, Table: w.table()})
		}
		for _, g := range w.gateways {
			list = append(list, w.defaultRoutes(g)...)
		}
		if lease := v.Leases[w.f.ID]; lease != nil {
			for _, r := range lease.Routes {
				list = append(list, route.Route{Dst: r.Dst, Gateway: r.Gateway, Index: w.index, Table: w.table()})
			}
		}
		for _, r := range lanRoutes(t, v) {
			r.Table = w.table()
			list = append(list, r)
		}
	}
	return list
}

// defaultRoutes lead to a gateway, which may lie outside of every subnet.
func (w *wan) defaultRoutes(g netip.Addr) (list []route.Route) {
	inside := slices.ContainsFunc(w.addrs, func(a policy.Address) bool { return a.Prefix.Masked().Contains(g) })
	if !inside && !g.IsLinkLocalUnicast() {
		list = append(list, route.Route{Dst: netip.PrefixFrom(g, g.BitLen()), Index: w.index, Table: w.table()})
	}
	everywhere := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if g.Is6() {
		everywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return append(list, route.Route{Dst: everywhere, Gateway: g, Index: w.index, Table: w.table()})
}

// lanRoutes are the subnets of interfaces without a gateway.
func lanRoutes(t *policy.Tables, v *View) (list []route.Route) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		s := v.State(f)
		if f.VLAN != 0 || f.DHCP || !s.Up || len(firstGateways(s.Addrs)) > 0 {
			continue
		}
		for _, a := range s.Addrs {
			list = append(list, route.Route{Dst: a.Prefix.Masked(), Index: v.Links[f.Target].Index})
		}
	}
	return list
}

// WANNames are the WANs with what they told for look-ups: RUN/resolv.json.
func WANNames(t *policy.Tables, v *View) resolve.File {
	file := resolve.File{WANs: []resolve.WAN{}}
	for _, w := range wans(t, v) {
		n := resolve.WAN{Interface: w.f.Name, Device: w.f.Target, Metered: w.f.Metered,
			Resolvers: slices.Clone(t.Resolvers), TimeServers: []netip.Addr{}}
		for _, a := range w.addrs {
			n.Addresses = append(n.Addresses, a.Prefix.Addr())
		}
		if lease := v.Leases[w.f.ID]; lease != nil {
			n.Domain, n.TimeServers = lease.Domain, append(n.TimeServers, lease.NTP...)
			if len(n.Resolvers) == 0 {
				n.Resolvers = slices.Clone(lease.DNS)
			}
			n.Conductors, n.ConductorKey = lease.Conductor.Hosts, lease.Conductor.HostKey
		}
		n.Resolvers = slices.DeleteFunc(n.Resolvers, func(a netip.Addr) bool { return !w.gateway(a.Is4()).IsValid() })
		file.WANs = append(file.WANs, n)
	}
	return file
}
