package route

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// Defaults returns every default route of the main table that has a gateway and
// one outgoing interface, whoever made it: what DHCP and PPPoE clients leave.
func Defaults(c *rtnl.Conn) ([]Route, error) { return dump(c, "default routes", parseDefault) }

// parseDefault reads an RTM_NEWROUTE body of a default route.
func parseDefault(b []byte) (Route, bool) {
	if len(b) < unix.SizeofRtMsg || b[1] != 0 || b[7] != unix.RTN_UNICAST || b[4] != unix.RT_TABLE_MAIN {
		return Route{}, false
	}
	r := Route{Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
	if b[0] == unix.AF_INET6 {
		r.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	rtnl.Attrs(b, unix.SizeofRtMsg, func(typ uint16, data []byte) {
		switch typ {
		case unix.RTA_GATEWAY:
			r.Gateway = rtnl.Addr(data)
		case unix.RTA_OIF:
			if len(data) == 4 {
				r.Index = int(binary.NativeEndian.Uint32(data))
			}
		case unix.RTA_PRIORITY:
			r.Metric = rtnl.U32(data)
		}
	})
	return r, r.Gateway.IsValid() && r.Index != 0
}

// Watch calls fn for every change of a default route, and after notifications
// were lost, from a goroutine of its own, until the watcher is closed.
func Watch(fn func()) (*rtnl.Watcher, error) {
	groups := []uint32{unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE}
	return rtnl.Watch(groups, func(m netlink.Message) {
		if len(m.Data) >= unix.SizeofRtMsg && m.Data[1] == 0 && m.Data[4] == unix.RT_TABLE_MAIN {
			fn()
		}
	}, fn)
}
