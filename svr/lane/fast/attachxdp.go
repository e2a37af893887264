package fast

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// Flags and attributes of IFLA_XDP (linux/if_link.h).
const (
	xdpUpdateNoExist = 1 << 0
	xdpGeneric       = 1 << 1
	xdpDriver        = 1 << 2
	xdpReplace       = 1 << 4
	xdpFD            = 1
	xdpFlags         = 3
	xdpProgID        = 4
	xdpExpectedFD    = 8
)

// attachXDP sets the XDP program of an interface by netlink, so that the device
// keeps it, in place of old when that is not nil. A foreign one is not touched.
func attachXDP(index int, prog, old *ebpf.Program, generic bool) error {
	err := setXDP(index, int32(prog.FD()), old, generic)
	if err != nil {
		return fmt.Errorf("attach XDP program: %w", refused(err))
	}
	return nil
}

// detachXDP removes prog when it is still there.
func detachXDP(index int, prog *ebpf.Program, generic bool) error {
	if err := setXDP(index, -1, prog, generic); err != nil && !rtnl.IsGone(err) {
		return fmt.Errorf("detach XDP program: %w", err)
	}
	return nil
}

func setXDP(index int, fd int32, old *ebpf.Program, generic bool) error {
	flags := uint32(xdpDriver)
	if generic {
		flags = xdpGeneric
	}
	attr := rtnl.NewBody(nil).U32(xdpFD, uint32(fd))
	if old != nil {
		flags |= xdpReplace
		attr.U32(xdpExpectedFD, uint32(old.FD()))
	} else {
		flags |= xdpUpdateNoExist
	}
	attr.U32(xdpFlags, flags)
	body := rtnl.NewBody(linkMsg(index)).Nest(unix.IFLA_XDP, attr)
	return withConn(func(c *rtnl.Conn) error { return c.Request(unix.RTM_SETLINK, 0, body.Data()) })
}

// xdpProgram returns the id of an interface's XDP program, 0 without one, and
// whether it runs in the generic form.
func xdpProgram(index int) (id ebpf.ProgramID, generic bool) {
	_ = withConn(func(c *rtnl.Conn) error {
		msgs, err := c.Get(unix.RTM_GETLINK, linkMsg(index))
		if err != nil {
			return err
		}
		for _, m := range msgs {
			rtnl.Attrs(m.Data, unix.SizeofIfInfomsg, func(typ uint16, data []byte) {
				if typ == unix.IFLA_XDP {
					id, generic = parseXDP(data)
				}
			})
		}
		return nil
	})
	return id, generic
}

func parseXDP(b []byte) (id ebpf.ProgramID, generic bool) {
	const attached, skbMode = 2, 2
	rtnl.Attrs(b, 0, func(typ uint16, data []byte) {
		switch {
		case typ == xdpProgID:
			id = ebpf.ProgramID(rtnl.U32(data))
		case typ == attached && len(data) > 0:
			generic = data[0] == skbMode
		}
	})
	return id, generic
}
