package dhcp4

import (
	"net/netip"

	"waymark/net/addr"
	"waymark/net/route"
)

// Addresses are what a lease wants on interface index, for addr.Apply; nil
// wants nothing.
func (l *Lease) Addresses(index int) []addr.Address {
	if l == nil {
		return nil
	}
	return []addr.Address{{Index: index, Prefix: l.Address}}
}

// DefaultRoutes is the default route that a lease wants, for route.Apply.
// Lower metrics win; each interface has its own.
func (l *Lease) DefaultRoutes(index int, metric uint32) []route.Route {
	if l == nil || !l.Gateway.IsValid() {
		return nil
	}
	var list []route.Route
	if !l.Address.Contains(l.Gateway) { // a provider with a gateway outside of the subnet
		list = append(list, route.Route{Dst: netip.PrefixFrom(l.Gateway, 32), Index: index, Metric: metric, Source: l.Address.Addr()})
	}
	any4 := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	return append(list, route.Route{Dst: any4, Gateway: l.Gateway, Index: index, Metric: metric, Source: l.Address.Addr()})
}

// StaticRoutes are the other routes that a lease wants.
func (l *Lease) StaticRoutes(index int, metric uint32) []route.Route {
	if l == nil {
		return nil
	}
	var list []route.Route
	for _, r := range l.Routes {
		list = append(list, route.Route{Dst: r.Dst, Gateway: r.Gateway, Index: index, Metric: metric, Source: l.Address.Addr()})
	}
	return list
}

// LimitMTU returns the smaller of an interface's MTU and the lease's, in bytes
// of IP packet.
func (l *Lease) LimitMTU(mtu int) int {
	if l == nil || l.MTU == 0 {
		return mtu
	}
	return min(mtu, l.MTU)
}
