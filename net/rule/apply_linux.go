package rule

import (
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// Attributes and sizes of linux/fib_rules.h.
const (
	headerLen   = 12
	attrSource  = 2
	attrPrio    = 6
	attrTable   = 15
	attrProto   = 21
	toTable     = 1 // FR_ACT_TO_TBL
	smallTables = 256
)

// List returns our rules, IPv4 and IPv6.
func List(c *rtnl.Conn) ([]Rule, error) {
	var list []Rule
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		h := make([]byte, headerLen)
		h[0] = family
		msgs, err := c.Dump(unix.RTM_GETRULE, h)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		for _, m := range msgs {
			if r, ok := parse(m.Data); ok {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// Apply makes the wanted rules true and removes ours that are not wanted any
// more. Applied twice it changes nothing. It returns what it did. New rules
// come before old ones go, so that no source is without one in between.
func Apply(c *rtnl.Conn, want []Rule) (Plan, error) {
	have, err := List(c)
	if err != nil {
		return Plan{}, err
	}
	p := MakePlan(have, want)
	for _, r := range p.Add {
		if err := c.Request(unix.RTM_NEWRULE, netlink.Create|netlink.Excl, body(r)); err != nil && !rtnl.IsExist(err) {
			return p, fmt.Errorf("add rule for %s: %w", r.Source, err)
		}
	}
	for _, r := range p.Remove {
		if err := c.Request(unix.RTM_DELRULE, 0, body(r)); err != nil && !rtnl.IsGone(err) {
			return p, fmt.Errorf("remove rule for %s: %w", r.Source, err)
		}
	}
	return p, nil
}

// body is struct fib_rule_hdr with attributes.
func body(r Rule) []byte {
	h := make([]byte, headerLen)
	h[0], h[2], h[7] = unix.AF_INET, uint8(r.Source.Bits()), toTable
	if r.Source.Addr().Is6() {
		h[0] = unix.AF_INET6
	}
	if r.Table < smallTables {
		h[4] = uint8(r.Table)
	}
	return rtnl.NewBody(h).Addr(attrSource, r.Source.Addr()).U32(attrPrio, r.Priority).
		U32(attrTable, r.Table).U8(attrProto, rtnl.Proto).Data()
}

// parse reads an RTM_NEWRULE body; ok only for ours.
func parse(b []byte) (r Rule, ours bool) {
	if len(b) < headerLen {
		return r, false
	}
	r.Table = uint32(b[4])
	src := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		src = netip.IPv6Unspecified()
	}
	rtnl.Attrs(b, headerLen, func(typ uint16, data []byte) {
		switch typ {
		case attrSource:
			src = rtnl.Addr(data)
		case attrPrio:
			r.Priority = rtnl.U32(data)
		case attrTable:
			r.Table = rtnl.U32(data)
		case attrProto:
			ours = len(data) == 1 && data[0] == rtnl.Proto
		}
	})
	r.Source = netip.PrefixFrom(src, int(b[2]))
	return r, ours && r.Source.IsValid()
}
