package link

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// ErrNotFound: no interface of that name or index.
var ErrNotFound = errors.New("interface not found")

// OperState is the operational state of RFC 2863 as Linux numbers it.
type OperState uint8

// Operational states (linux/if.h).
const (
	OperUnknown OperState = iota
	OperNotPresent
	OperDown
	OperLowerLayerDown
	OperTesting
	OperDormant
	OperUp
)

// Link is one interface.
type Link struct {
	Index   int
	Name    string
	Kind    string // "veth", "bridge", …; empty for hardware
	Type    uint16 // ARPHRD_…: 1 Ethernet, 512 PPP, 65534 none
	MAC     [6]byte
	MTU     int
	Up      bool // set up by the administrator
	Carrier bool
	Oper    OperState
	Changes uint32 // how often the carrier came or went: no flap is too short to count
}

// Usable tells whether the interface can carry packets now: it is up and has
// carrier (an unknown operational state, as of drivers without one, counts).
func (l Link) Usable() bool {
	return l.Up && l.Carrier && (l.Oper == OperUp || l.Oper == OperUnknown)
}

// List returns all interfaces of the connection's network namespace.
func List(c *rtnl.Conn) ([]Link, error) {
	msgs, err := c.Dump(unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg))
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	links := make([]Link, 0, len(msgs))
	for _, m := range msgs {
		if l, ok := parse(m.Data); ok {
			links = append(links, l)
		}
	}
	return links, nil
}

// ByName looks an interface up.
func ByName(c *rtnl.Conn, name string) (Link, error) {
	body := rtnl.NewBody(make([]byte, unix.SizeofIfInfomsg)).String(unix.IFLA_IFNAME, name)
	return get(c, body, name)
}

// ByIndex looks an interface up.
func ByIndex(c *rtnl.Conn, index int) (Link, error) {
	return get(c, rtnl.NewBody(header(index, 0, 0)), fmt.Sprint(index))
}

func get(c *rtnl.Conn, body *rtnl.Body, what string) (Link, error) {
	msgs, err := c.Get(unix.RTM_GETLINK, body.Data())
	if rtnl.IsGone(err) {
		return Link{}, fmt.Errorf("get interface %s: %w", what, ErrNotFound)
	}
	if err != nil {
		return Link{}, fmt.Errorf("get interface %s: %w", what, err)
	}
	for _, m := range msgs {
		if l, ok := parse(m.Data); ok {
			return l, nil
		}
	}
	return Link{}, fmt.Errorf("get interface %s: %w", what, ErrNotFound)
}

// SetUp brings an interface up or down.
func SetUp(c *rtnl.Conn, index int, up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	if err := c.Request(unix.RTM_NEWLINK, 0, header(index, flags, unix.IFF_UP)); err != nil {
		return fmt.Errorf("set interface %d up %t: %w", index, up, err)
	}
	return nil
}

// SetMTU sets the MTU in bytes.
func SetMTU(c *rtnl.Conn, index, mtu int) error {
	body := rtnl.NewBody(header(index, 0, 0)).U32(unix.IFLA_MTU, uint32(mtu))
	if err := c.Request(unix.RTM_NEWLINK, 0, body.Data()); err != nil {
		return fmt.Errorf("set mtu %d on interface %d: %w", mtu, index, err)
	}
	return nil
}

// SetName renames an interface that is down.
func SetName(c *rtnl.Conn, index int, name string) error {
	body := rtnl.NewBody(header(index, 0, 0)).String(unix.IFLA_IFNAME, name)
	if err := c.Request(unix.RTM_NEWLINK, 0, body.Data()); err != nil {
		return fmt.Errorf("rename interface %d to %s: %w", index, name, err)
	}
	return nil
}

// header is struct ifinfomsg.
func header(index int, flags, change uint32) []byte {
	h := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(h[4:], uint32(index))
	binary.NativeEndian.PutUint32(h[8:], flags)
	binary.NativeEndian.PutUint32(h[12:], change)
	return h
}

// parse reads an RTM_NEWLINK or RTM_DELLINK body. Messages of bridge ports
// (AF_BRIDGE) describe no interface.
func parse(b []byte) (Link, bool) {
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return Link{}, false
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	l := Link{
		Type:    binary.NativeEndian.Uint16(b[2:]),
		Index:   int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Up:      flags&unix.IFF_UP != 0,
		Carrier: flags&unix.IFF_LOWER_UP != 0,
	}
	rtnl.Attrs(b, unix.SizeofIfInfomsg, l.attr)
	return l, l.Name != ""
}

func (l *Link) attr(typ uint16, data []byte) {
	switch typ {
	case unix.IFLA_IFNAME:
		l.Name = text(data)
	case unix.IFLA_ADDRESS:
		copy(l.MAC[:], data)
	case unix.IFLA_MTU:
		l.MTU = int(rtnl.U32(data))
	case unix.IFLA_CARRIER_CHANGES:
		l.Changes = rtnl.U32(data)
	case unix.IFLA_OPERSTATE:
		if len(data) > 0 {
			l.Oper = OperState(data[0])
		}
	case unix.IFLA_LINKINFO:
		rtnl.Attrs(data, 0, func(t uint16, d []byte) {
			if t == unix.IFLA_INFO_KIND {
				l.Kind = text(d)
			}
		})
	}
}

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Change is one event of Watch.
type Change struct {
	Link    Link
	Deleted bool
	Lost    bool // notifications were lost: list again; Link is empty
}

// Watch calls fn for every change of an interface, from a goroutine of its own,
// until the watcher is closed.
func Watch(fn func(Change)) (*rtnl.Watcher, error) {
	return rtnl.Watch([]uint32{unix.RTNLGRP_LINK}, func(m netlink.Message) {
		if l, ok := parse(m.Data); ok {
			fn(Change{Link: l, Deleted: m.Header.Type == unix.RTM_DELLINK})
		}
	}, func() { fn(Change{Lost: true}) })
}

// Counters are what the kernel counted on an interface: frames as the device
// has them.
type Counters struct{ RxPackets, TxPackets, RxBytes, TxBytes uint64 }

// Count returns the counters of an interface and its Type.
func Count(c *rtnl.Conn, index int) (n Counters, kind uint16, err error) {
	msgs, err := c.Get(unix.RTM_GETLINK, header(index, 0, 0))
	if rtnl.IsGone(err) {
		err = ErrNotFound
	}
	if err != nil {
		return n, 0, fmt.Errorf("get counters of interface %d: %w", index, err)
	}
	for _, m := range msgs {
		if len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		kind = binary.NativeEndian.Uint16(m.Data[2:])
		rtnl.Attrs(m.Data, unix.SizeofIfInfomsg, func(typ uint16, data []byte) {
			if typ == unix.IFLA_STATS64 && len(data) >= 32 {
				n = Counters{binary.NativeEndian.Uint64(data), binary.NativeEndian.Uint64(data[8:]),
					binary.NativeEndian.Uint64(data[16:]), binary.NativeEndian.Uint64(data[24:])}
			}
		})
	}
	return n, kind, nil
}
