package vlan

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// alias marks our devices: links have no field for who made them.
const alias = "waymark"

const kind = "vlan"

// List returns our VLAN devices.
func List(c *rtnl.Conn) ([]Device, error) {
	msgs, err := c.Dump(unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg))
	if err != nil {
		return nil, fmt.Errorf("list VLAN devices: %w", err)
	}
	var list []Device
	for _, m := range msgs {
		if d, ours := parse(m.Data); ours {
			list = append(list, d)
		}
	}
	return list, nil
}

// Apply makes the wanted devices, down, and removes ours that are not wanted any
// more, these first: a name may move. Applied twice it changes nothing. It
// returns what it meant to do; an interface of somebody else that has a wanted
// name is an error.
func Apply(c *rtnl.Conn, want []Device) (Plan, error) {
	have, err := List(c)
	if err != nil {
		return Plan{}, err
	}
	p := MakePlan(have, want)
	for _, d := range p.Remove {
		body := rtnl.NewBody(make([]byte, unix.SizeofIfInfomsg)).String(unix.IFLA_IFNAME, d.Name)
		if err := c.Request(unix.RTM_DELLINK, 0, body.Data()); err != nil && !rtnl.IsGone(err) {
			return p, fmt.Errorf("remove VLAN device %s: %w", d.Name, err)
		}
	}
	for _, d := range p.Add {
		if err := add(c, d); err != nil {
			return p, err
		}
	}
	return p, nil
}

// add makes a device. The kernel takes no alias for one that does not exist yet.
func add(c *rtnl.Conn, d Device) error {
	data := rtnl.NewBody(nil).Bytes(unix.IFLA_VLAN_ID, binary.NativeEndian.AppendUint16(nil, d.Tag))
	info := rtnl.NewBody(nil).Bytes(unix.IFLA_INFO_KIND, []byte(kind)).Nest(unix.IFLA_INFO_DATA, data)
	name := rtnl.NewBody(make([]byte, unix.SizeofIfInfomsg)).String(unix.IFLA_IFNAME, d.Name).Data()
	body := rtnl.NewBody(name).U32(unix.IFLA_LINK, uint32(d.Parent)).Nest(unix.IFLA_LINKINFO, info)
	err := c.Request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, body.Data())
	if rtnl.IsExist(err) {
		return fmt.Errorf("make VLAN device %s, tag %d on interface %d: an interface of this name, or of this tag, is there: %w", d.Name, d.Tag, d.Parent, err)
	}
	if err != nil {
		return fmt.Errorf("make VLAN device %s, tag %d on interface %d: %w (the kernel needs 8021q)", d.Name, d.Tag, d.Parent, err)
	}
	if err := c.Request(unix.RTM_SETLINK, 0, rtnl.NewBody(name).String(unix.IFLA_IFALIAS, alias).Data()); err != nil {
		return fmt.Errorf("mark VLAN device %s: %w", d.Name, err)
	}
	return nil
}

// parse reads an RTM_NEWLINK body; ours only for a VLAN device that we made.
func parse(b []byte) (d Device, ours bool) {
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return d, false
	}
	marked, isVLAN := false, false
	rtnl.Attrs(b, unix.SizeofIfInfomsg, func(typ uint16, data []byte) {
		switch typ {
		case unix.IFLA_IFNAME:
			d.Name = string(bytes.TrimRight(data, "\x00"))
		case unix.IFLA_LINK:
			d.Parent = int(int32(rtnl.U32(data)))
		case unix.IFLA_IFALIAS:
			marked = string(bytes.TrimRight(data, "\x00")) == alias
		case unix.IFLA_LINKINFO:
			isVLAN, d.Tag = parseInfo(data)
		}
	})
	return d, marked && isVLAN
}

func parseInfo(b []byte) (isVLAN bool, tag uint16) {
	rtnl.Attrs(b, 0, func(typ uint16, data []byte) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			isVLAN = string(bytes.TrimRight(data, "\x00")) == kind
		case unix.IFLA_INFO_DATA:
			rtnl.Attrs(data, 0, func(typ uint16, data []byte) {
				if typ == unix.IFLA_VLAN_ID && len(data) >= 2 {
					tag = binary.NativeEndian.Uint16(data)
				}
			})
		}
	})
	return isVLAN, tag
}
