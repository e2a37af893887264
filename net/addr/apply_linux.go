package addr

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// ifaProto is IFA_PROTO of linux/if_addr.h.
const ifaProto = 11

// List returns every address of the network namespace.
func List(c *rtnl.Conn) ([]Address, error) {
	msgs, err := c.Dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	list := make([]Address, 0, len(msgs))
	for _, m := range msgs {
		if a, ok := parse(m.Data); ok {
			list = append(list, a)
		}
	}
	return list, nil
}

// Apply makes the wanted addresses true and removes those of ours that are not
// wanted any more. Applied twice it changes nothing. It returns what it did.
func Apply(c *rtnl.Conn, want []Address) (Plan, error) {
	have, err := List(c)
	if err != nil {
		return Plan{}, err
	}
	p := MakePlan(have, want)
	for _, a := range p.Remove {
		if err := c.Request(unix.RTM_DELADDR, 0, body(a)); err != nil && !rtnl.IsGone(err) {
			return p, fmt.Errorf("remove address %s: %w", a.Prefix, err)
		}
	}
	for _, a := range p.Add {
		if err := c.Request(unix.RTM_NEWADDR, netlink.Create|netlink.Excl, body(a)); err != nil && !rtnl.IsExist(err) {
			return p, fmt.Errorf("add address %s to interface %d: %w", a.Prefix, a.Index, err)
		}
	}
	return p, nil
}

// body is struct ifaddrmsg with attributes. IPv6 addresses skip duplicate
// address detection: a router's address must serve at once.
func body(a Address) []byte {
	ip := a.Prefix.Addr()
	h := make([]byte, unix.SizeofIfAddrmsg)
	h[0] = family(ip)
	h[1] = uint8(a.Prefix.Bits())
	binary.NativeEndian.PutUint32(h[4:], uint32(a.Index))
	m := rtnl.NewBody(h).Addr(unix.IFA_LOCAL, ip).Addr(unix.IFA_ADDRESS, ip).U8(ifaProto, rtnl.Proto)
	if ip.Is6() {
		m.U32(unix.IFA_FLAGS, unix.IFA_F_NODAD)
	} else if a.Prefix.Bits() < 31 {
		m.Addr(unix.IFA_BROADCAST, broadcast(a.Prefix))
	}
	return m.Data()
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	v := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-p.Bits())-1)
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// parse reads an RTM_NEWADDR or RTM_DELADDR body. On point-to-point interfaces
// IFA_ADDRESS is the other end and IFA_LOCAL ours; IPv6 has no IFA_LOCAL there
// unless it differs.
func parse(b []byte) (Address, bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return Address{}, false
	}
	a := Address{Index: int(binary.NativeEndian.Uint32(b[4:]))}
	var local, address netip.Addr
	rtnl.Attrs(b, unix.SizeofIfAddrmsg, func(typ uint16, data []byte) {
		switch typ {
		case unix.IFA_LOCAL:
			local = rtnl.Addr(data)
		case unix.IFA_ADDRESS:
			address = rtnl.Addr(data)
		case ifaProto:
			a.Ours = len(data) == 1 && data[0] == rtnl.Proto
		}
	})
	if !local.IsValid() {
		local = address
	}
	a.Prefix = netip.PrefixFrom(local, int(b[1]))
	return a, a.Prefix.IsValid()
}

// Change is one event of Watch.
type Change struct {
	Address Address
	Deleted bool
	Lost    bool // notifications were lost: list again; Address is empty
}

// Watch calls fn for every change of an address, from a goroutine of its own,
// until the watcher is closed.
func Watch(fn func(Change)) (*rtnl.Watcher, error) {
	groups := []uint32{unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR}
	return rtnl.Watch(groups, func(m netlink.Message) {
		if a, ok := parse(m.Data); ok {
			fn(Change{Address: a, Deleted: m.Header.Type == unix.RTM_DELADDR})
		}
	}, func() { fn(Change{Lost: true}) })
}
