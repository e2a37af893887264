package neigh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

const (
	ndaFlagsExt   = 15 // NDA_FLAGS_EXT
	ndaProtocol   = 12 // NDA_PROTOCOL
	ntfExtManaged = 1  // NTF_EXT_MANAGED
)

// State tells whether the link address of a neighbour can be used.
type State uint8

// States of a neighbour.
const (
	Unresolved State = iota // being resolved
	Resolved                // MAC is good to use
	Failed                  // nobody answered
)

// Neighbour is one entry of the kernel's table.
type Neighbour struct {
	Index int // interface
	Addr  netip.Addr
	MAC   [6]byte
	State State
}

// Manage asks the kernel to resolve a neighbour and keep it resolved. Asking
// again is harmless. managed is false if the kernel only resolved it once: ask
// again every few seconds.
func Manage(c *rtnl.Conn, index int, a netip.Addr) (managed bool, err error) {
	h := header(index, a, 0)
	m := rtnl.NewBody(h).Addr(unix.NDA_DST, a).U8(ndaProtocol, rtnl.Proto).U32(ndaFlagsExt, ntfExtManaged)
	err = c.Request(unix.RTM_NEWNEIGH, netlink.Create|netlink.Replace, m.Data())
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) {
		return false, fmt.Errorf("manage neighbour %s: %w", a, err)
	}
	return false, use(c, index, a)
}

// use makes the kernel resolve a neighbour once, as a packet to it would.
func use(c *rtnl.Conn, index int, a netip.Addr) error {
	m := rtnl.NewBody(header(index, a, unix.NTF_USE)).Addr(unix.NDA_DST, a)
	if err := c.Request(unix.RTM_NEWNEIGH, netlink.Create|netlink.Replace, m.Data()); err != nil {
		return fmt.Errorf("resolve neighbour %s: %w", a, err)
	}
	return nil
}

// Release ends the management of a neighbour: the entry goes.
func Release(c *rtnl.Conn, index int, a netip.Addr) error {
	m := rtnl.NewBody(header(index, a, 0)).Addr(unix.NDA_DST, a)
	if err := c.Request(unix.RTM_DELNEIGH, 0, m.Data()); err != nil && !rtnl.IsGone(err) {
		return fmt.Errorf("release neighbour %s: %w", a, err)
	}
	return nil
}

// Get returns one neighbour. An error that rtnl.IsGone knows: no such entry.
func Get(c *rtnl.Conn, index int, a netip.Addr) (Neighbour, error) {
	m := rtnl.NewBody(header(index, a, 0)).Addr(unix.NDA_DST, a)
	msgs, err := c.Get(unix.RTM_GETNEIGH, m.Data())
	if err != nil {
		return Neighbour{}, fmt.Errorf("get neighbour %s: %w", a, err)
	}
	for _, m := range msgs {
		if n, ok := parse(m.Data); ok {
			return n, nil
		}
	}
	return Neighbour{}, fmt.Errorf("get neighbour %s: %w", a, unix.ENOENT)
}

// List returns the kernel's neighbours, IPv4 and IPv6.
func List(c *rtnl.Conn) ([]Neighbour, error) {
	msgs, err := c.Dump(unix.RTM_GETNEIGH, make([]byte, unix.SizeofNdMsg))
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	list := make([]Neighbour, 0, len(msgs))
	for _, m := range msgs {
		if n, ok := parse(m.Data); ok {
			list = append(list, n)
		}
	}
	return list, nil
}

// Owned returns the neighbours that an earlier run of ours left.
func Owned(c *rtnl.Conn) ([]Neighbour, error) {
	msgs, err := c.Dump(unix.RTM_GETNEIGH, make([]byte, unix.SizeofNdMsg))
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	var list []Neighbour
	for _, m := range msgs {
		if n, ok := parse(m.Data); ok && ours(m.Data) {
			list = append(list, n)
		}
	}
	return list, nil
}

func ours(b []byte) (yes bool) {
	rtnl.Attrs(b, unix.SizeofNdMsg, func(typ uint16, data []byte) {
		yes = yes || typ == ndaProtocol && len(data) == 1 && data[0] == rtnl.Proto
	})
	return yes
}

// header is struct ndmsg, of no state.
func header(index int, a netip.Addr, flags uint8) []byte {
	h := make([]byte, unix.SizeofNdMsg)
	h[0] = unix.AF_INET
	if a.Is6() {
		h[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(h[4:], uint32(index))
	h[10] = flags
	return h
}

// parse reads an RTM_NEWNEIGH or RTM_DELNEIGH body.
func parse(b []byte) (Neighbour, bool) {
	if len(b) < unix.SizeofNdMsg || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return Neighbour{}, false
	}
	n := Neighbour{Index: int(binary.NativeEndian.Uint32(b[4:]))}
	known := false
	rtnl.Attrs(b, unix.SizeofNdMsg, func(typ uint16, data []byte) {
		switch typ {
		case unix.NDA_DST:
			n.Addr = rtnl.Addr(data)
		case unix.NDA_LLADDR:
			known = copy(n.MAC[:], data) == len(n.MAC)
		}
	})
	n.State = state(binary.NativeEndian.Uint16(b[8:]), known)
	return n, n.Addr.IsValid()
}

// state folds the kernel's states: STALE, DELAY and PROBE still have an address
// that serves until the probe fails.
func state(nud uint16, known bool) State {
	const good = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE |
		unix.NUD_PERMANENT | unix.NUD_NOARP
	switch {
	case nud&good != 0 && known:
		return Resolved
	case nud&unix.NUD_FAILED != 0:
		return Failed
	}
	return Unresolved
}

// Change is one event of Watch.
type Change struct {
	Neighbour Neighbour
	Deleted   bool
	Lost      bool // notifications were lost: list again; Neighbour is empty
}

// Watch calls fn for every change of a neighbour, from a goroutine of its own,
// until the watcher is closed.
func Watch(fn func(Change)) (*rtnl.Watcher, error) {
	return rtnl.Watch([]uint32{unix.RTNLGRP_NEIGH}, func(m netlink.Message) {
		if n, ok := parse(m.Data); ok {
			fn(Change{Neighbour: n, Deleted: m.Header.Type == unix.RTM_DELNEIGH})
		}
	}, func() { fn(Change{Lost: true}) })
}
