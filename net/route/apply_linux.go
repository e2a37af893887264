package route

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// List returns our routes of all tables, IPv4 and IPv6.
func List(c *rtnl.Conn) ([]Route, error) { return dump(c, "routes", parse) }

// dump returns the routes of both families that a parser of RTM_NEWROUTE bodies
// takes.
func dump(c *rtnl.Conn, what string, parse func([]byte) (Route, bool)) (list []Route, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		h := make([]byte, unix.SizeofRtMsg)
		h[0] = family
		msgs, err := c.Dump(unix.RTM_GETROUTE, h)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", what, err)
		}
		for _, m := range msgs {
			if r, ok := parse(m.Data); ok {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// Apply makes the wanted routes true and removes ours that are not wanted any
// more. Applied twice it changes nothing. It returns what it did. A route that
// the kernel refuses does not keep the others away.
func Apply(c *rtnl.Conn, want []Route) (Plan, error) {
	have, err := List(c)
	if err != nil {
		return Plan{}, err
	}
	p := MakePlan(have, want)
	var errs []error
	for _, r := range p.Remove {
		if err := c.Request(unix.RTM_DELROUTE, 0, body(r)); err != nil && !rtnl.IsGone(err) {
			errs = append(errs, fmt.Errorf("remove route %s: %w", r.Dst, err))
		}
	}
	for _, r := range p.Add {
		// Append: another route to the same destination may belong to somebody
		// else and must stay.
		flags := netlink.Create | netlink.Append
		if err := c.Request(unix.RTM_NEWROUTE, flags, body(r)); err != nil && !rtnl.IsExist(err) {
			errs = append(errs, fmt.Errorf("add route %s via %s: %w", r.Dst, r.Gateway, err))
		}
	}
	return p, errors.Join(errs...)
}

// body is struct rtmsg with attributes.
func body(r Route) []byte {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[1] = unix.AF_INET, uint8(r.Dst.Bits())
	if r.Dst.Addr().Is6() {
		h[0] = unix.AF_INET6
	}
	table := cmp.Or(r.Table, unix.RT_TABLE_MAIN)
	h[4], h[5], h[7] = uint8(min(table, unix.RT_TABLE_COMPAT)), rtnl.Proto, unix.RTN_UNICAST
	h[6] = unix.RT_SCOPE_UNIVERSE
	if !r.Gateway.IsValid() && r.Dst.Addr().Is4() {
		h[6] = unix.RT_SCOPE_LINK
	}
	m := rtnl.NewBody(h).U32(unix.RTA_OIF, uint32(r.Index)).U32(unix.RTA_TABLE, table)
	if r.Dst.Bits() > 0 {
		m.Addr(unix.RTA_DST, r.Dst.Addr())
	}
	if r.Gateway.IsValid() {
		m.Addr(unix.RTA_GATEWAY, r.Gateway)
	}
	if r.Metric != 0 {
		m.U32(unix.RTA_PRIORITY, r.Metric)
	}
	if r.Source.IsValid() {
		m.Addr(unix.RTA_PREFSRC, r.Source)
	}
	return m.Data()
}

// parse reads an RTM_NEWROUTE body; ok only for our unicast routes.
func parse(b []byte) (Route, bool) {
	if len(b) < unix.SizeofRtMsg || b[5] != rtnl.Proto || b[7] != unix.RTN_UNICAST {
		return Route{}, false
	}
	dst := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	r := Route{Table: uint32(b[4])}
	rtnl.Attrs(b, unix.SizeofRtMsg, func(typ uint16, data []byte) {
		switch typ {
		case unix.RTA_DST:
			dst = rtnl.Addr(data)
		case unix.RTA_GATEWAY:
			r.Gateway = rtnl.Addr(data)
		case unix.RTA_OIF:
			r.Index = int(binary.NativeEndian.Uint32(data))
		case unix.RTA_PRIORITY:
			r.Metric = rtnl.U32(data)
		case unix.RTA_TABLE:
			r.Table = rtnl.U32(data)
		case unix.RTA_PREFSRC:
			r.Source = rtnl.Addr(data)
		}
	})
	if r.Table == unix.RT_TABLE_MAIN {
		r.Table = 0
	}
	r.Dst = netip.PrefixFrom(dst, int(b[1]))
	return r, r.Dst.IsValid()
}
