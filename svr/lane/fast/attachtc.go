package fast

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// The TC program is attached such that the device keeps it: by TCX (Linux 6.6)
// without a link descriptor, or as a direct-action filter of a clsact qdisc.
// TCX is ahead of every filter and cheaper by an indirect call.

// attachTC puts prog at the head of an interface's ingress, in place of old when
// that is not nil. at is where: of a new one, where it should be. It tells where it
// is.
func attachTC(index int, at place, prog, old *ebpf.Program) (place, error) {
	if at.tcx {
		anchor := link.Head()
		if old != nil {
			anchor = link.ReplaceProgram(old)
		}
		err := link.RawAttachProgram(link.RawAttachProgramOptions{
			Target: index, Program: prog, Attach: ebpf.AttachTCXIngress, Anchor: anchor})
		if err == nil {
			return at, nil
		}
		if old != nil || !noTCX(err) {
			return at, fmt.Errorf("attach by TCX: %w", refused(err))
		}
		at.tcx = false
	}
	return at, addFilter(index, at.priority, prog)
}

// noTCX tells an error of a kernel before 6.6.
func noTCX(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, ebpf.ErrNotSupported)
}

// detachTC takes prog off. An interface that is gone has lost it already.
func detachTC(index int, prog *ebpf.Program, at place) error {
	var err error
	if at.tcx {
		err = link.RawDetachProgram(link.RawDetachProgramOptions{
			Target: index, Program: prog, Attach: ebpf.AttachTCXIngress})
	} else {
		err = removeFilter(index, at.priority)
	}
	if err != nil && !rtnl.IsGone(err) {
		return fmt.Errorf("detach TC program: %w", err)
	}
	return nil
}

// placed is a program at the ingress of an interface.
type placed struct {
	id ebpf.ProgramID
	place
}

// tcPrograms returns the programs at an interface's ingress in the order in which
// packets meet them.
func tcPrograms(index int) (list []placed) {
	if r, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress}); err == nil {
		for _, p := range r.Programs {
			list = append(list, placed{p.ID, place{tcx: true, priority: filterPriority}})
		}
	}
	_ = withConn(func(c *rtnl.Conn) error {
		list = append(list, dumpFilters(c, index, parentIngress)...)
		return nil
	})
	return list
}

// Numbers of the clsact qdisc and of our filter (linux/pkt_sched.h, tc_bpf).
const (
	tcRoot         = 0xffffffff
	clsactHandle   = 0xffff0000
	parentClsact   = 0xfffffff1
	parentIngress  = 0xfffffff2
	parentEgress   = 0xfffffff3
	filterPriority = 0x574d // "WM"; one less for each older lane behind
	tcaKind        = 1
	tcaOptions     = 2
	tcaBPFFD       = 6
	tcaBPFName     = 7
	tcaBPFFlags    = 8
	tcaBPFID       = 11
	bpfDirect      = 1
	sizeTcMsg      = 20
)

// tcMsg is struct tcmsg.
func tcMsg(index int, handle, parent, info uint32) []byte {
	b := make([]byte, sizeTcMsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], handle)
	binary.NativeEndian.PutUint32(b[12:], parent)
	binary.NativeEndian.PutUint32(b[16:], info)
	return b
}

// filterInfo is priority and protocol (ETH_P_ALL in network byte order).
func filterInfo(priority uint16) uint32 {
	var all [2]byte
	binary.BigEndian.PutUint16(all[:], unix.ETH_P_ALL)
	return uint32(priority)<<16 | uint32(binary.NativeEndian.Uint16(all[:]))
}

// addFilter makes the qdisc where it is missing, and the filter or its new
// program: the kernel exchanges it at once.
func addFilter(index int, priority uint16, prog *ebpf.Program) error {
	return withConn(func(c *rtnl.Conn) error {
		qdisc := rtnl.NewBody(tcMsg(index, clsactHandle, parentClsact, 0)).String(tcaKind, "clsact")
		err := c.Request(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, qdisc.Data())
		if err != nil && !rtnl.IsExist(err) {
			return fmt.Errorf("add clsact qdisc: %w", refused(err))
		}
		opts := rtnl.NewBody(nil).U32(tcaBPFFD, uint32(prog.FD())).String(tcaBPFName, progTC).U32(tcaBPFFlags, bpfDirect)
		filter := rtnl.NewBody(tcMsg(index, 1, parentIngress, filterInfo(priority))).String(tcaKind, "bpf").Nest(tcaOptions, opts)
		if err := c.Request(unix.RTM_NEWTFILTER, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, filter.Data()); err != nil {
			return fmt.Errorf("add filter: %w", refused(err))
		}
		return nil
	})
}

// removeFilter removes our filter, and the qdisc when nothing else is on it.
func removeFilter(index int, priority uint16) error {
	return withConn(func(c *rtnl.Conn) error {
		filter := rtnl.NewBody(tcMsg(index, 1, parentIngress, filterInfo(priority))).String(tcaKind, "bpf")
		if err := c.Request(unix.RTM_DELTFILTER, 0, filter.Data()); err != nil {
			return err
		}
		if used(c, index, parentIngress) || used(c, index, parentEgress) {
			return nil
		}
		return c.Request(unix.RTM_DELQDISC, 0, tcMsg(index, clsactHandle, parentClsact, 0))
	})
}

// used tells whether there are filters at a hook.
func used(c *rtnl.Conn, index int, parent uint32) bool {
	msgs, err := c.Dump(unix.RTM_GETTFILTER, tcMsg(index, 0, parent, 0))
	return err != nil || len(msgs) > 0
}

// dumpFilters returns the programs of a hook's BPF filters, in their order.
func dumpFilters(c *rtnl.Conn, index int, parent uint32) (list []placed) {
	msgs, err := c.Dump(unix.RTM_GETTFILTER, tcMsg(index, 0, parent, 0))
	if err != nil {
		return nil
	}
	for _, m := range msgs {
		if len(m.Data) < sizeTcMsg {
			continue
		}
		priority := uint16(binary.NativeEndian.Uint32(m.Data[16:]) >> 16)
		rtnl.Attrs(m.Data, sizeTcMsg, func(typ uint16, data []byte) {
			if typ == tcaOptions {
				rtnl.Attrs(data, 0, func(typ uint16, data []byte) {
					if typ == tcaBPFID {
						list = append(list, placed{ebpf.ProgramID(rtnl.U32(data)), place{priority: priority}})
					}
				})
			}
		})
	}
	return list
}
