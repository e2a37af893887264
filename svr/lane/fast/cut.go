package fast

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/rtnl"
)

// The cutter is a pair of devices. What Go sends on the first as a super-packet the
// kernel cuts on its way to the second, whose program gives every segment the
// sequence number that is its own and sends it on (bpf/cut.h). A killed process leaves
// it to the next one. Nothing depends on it: without it Go cuts.

// Ethtool's command for segmentation by a device (linux/ethtool.h), and the peer of a
// pair (linux/veth.h).
const (
	ethtoolSetTSO = 0x1f
	vethInfoPeer  = 1
	cutterMTU     = 65535
	// progCut's name on a device has not the stem of programs that are adopted: other
	// processes leave it alone.
	labelCut = "waymark_cut"
)

// OpenCutter makes the cutter and returns the interface to send to
// (lane.Port.SetCutter). The maps of next-hops and network-interfaces say where
// segments go. On an error there is none.
func (l *Lane) OpenCutter() (index int, err error) {
	if l.tap == nil {
		return 0, fmt.Errorf("open cutter without TAP: %w", ErrConfig)
	}
	if index, err = l.openCutter(); err != nil {
		return 0, fmt.Errorf("open cutter: %w", errors.Join(err, removeCutter(l.cfg.Cutter)))
	}
	l.cutter = index
	return index, nil
}

func (l *Lane) openCutter() (index int, err error) {
	in, out := l.cfg.Cutter, l.cfg.Cutter+peerSuffix
	if err := l.ensurePair(in, out); err != nil {
		return 0, err
	}
	if err := refuseTSO(in); err != nil {
		return 0, err
	}
	var indexes [2]int
	err = withConn(func(c *rtnl.Conn) error {
		for i, name := range []string{in, out} {
			if indexes[i], err = bringUp(c, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return indexes[0], l.attachCut(indexes[1])
}

// ensurePair makes the two devices, if they are not there.
func (l *Lane) ensurePair(in, out string) error {
	a, _ := Driver(in)
	b, _ := Driver(out)
	if a == "veth" && b == "veth" {
		return nil
	}
	if err := removeCutter(in); err != nil {
		return err
	}
	return withConn(func(c *rtnl.Conn) error { return makePair(c, in, out) })
}

// CloseCutter takes it away, also what an earlier process left.
func (l *Lane) CloseCutter() error {
	l.cutter = 0
	if err := removeCutter(l.cfg.Cutter); err != nil && !errors.Is(err, ErrConfig) {
		return fmt.Errorf("close cutter: %w", err)
	}
	return nil
}

// peerSuffix makes the name of the second device.
const peerSuffix = "p"

// detachCut takes the program of an earlier process off the second device.
func detachCut(index int) error {
	for _, t := range tcPrograms(index) {
		prog, err := ebpf.NewProgramFromID(t.id)
		if err != nil {
			return fmt.Errorf("open program %d: %w", t.id, refused(err))
		}
		err = detachTC(index, prog, t.place)
		prog.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// attachCut puts the program on the second device, which keeps it.
func (l *Lane) attachCut(index int) error {
	if err := detachCut(index); err != nil {
		return err
	}
	spec, err := readSpec()
	if err != nil {
		return err
	}
	prog, err := l.loadSpec(spec, progCut, labelCut, constants{
		"hops": l.maps[mapHops].ValueSize() / hopSize, "netifs": l.maps[mapNetifs].ValueSize() / netifSize})
	if err != nil {
		return err
	}
	defer prog.Close()
	_, err = attachTC(index, place{tcx: true, priority: filterPriority}, prog, nil)
	return err
}

// makePair makes the two devices.
func makePair(c *rtnl.Conn, in, out string) error {
	mtu := func(b *rtnl.Body, name string) *rtnl.Body {
		return b.String(unix.IFLA_IFNAME, name).U32(unix.IFLA_MTU, cutterMTU)
	}
	peer := mtu(rtnl.NewBody(linkMsg(0)), out)
	info := rtnl.NewBody(nil).String(unix.IFLA_INFO_KIND, "veth").
		Nest(unix.IFLA_INFO_DATA, rtnl.NewBody(nil).Bytes(vethInfoPeer, peer.Data()))
	body := mtu(rtnl.NewBody(linkMsg(0)), in).Nest(unix.IFLA_LINKINFO, info)
	if err := c.Request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body.Data()); err != nil {
		return fmt.Errorf("make devices %s and %s: %w", in, out, refused(err))
	}
	return nil
}

// refuseTSO makes the kernel cut what leaves by a device.
func refuseTSO(name string) error {
	if _, err := ethtoolFlags(name, ethtoolSetTSO, 0); err != nil {
		return fmt.Errorf("switch segmentation of %s off: %w", name, err)
	}
	return nil
}

// bringUp brings a device up on which the kernel has no business of its own: no IPv6
// and no ARP.
func bringUp(c *rtnl.Conn, name string) (index int, err error) {
	if err := refuseIPv6(name); err != nil {
		return 0, err
	}
	l, err := link.ByName(c, name)
	if err != nil {
		return 0, err
	}
	h := linkMsg(l.Index)
	putFlags(h, unix.IFF_UP|unix.IFF_NOARP)
	return l.Index, c.Request(unix.RTM_NEWLINK, 0, h)
}

// removeCutter takes a pair away that is there.
func removeCutter(name string) error {
	if name == "-" {
		return nil
	}
	return withConn(func(c *rtnl.Conn) error {
		l, err := link.ByName(c, name)
		if errors.Is(err, link.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if kind, err := Driver(name); err != nil || kind != "veth" {
			return fmt.Errorf("device %s is none of ours (%s): %w", name, kind, errors.Join(err, ErrConfig))
		}
		if err := c.Request(unix.RTM_DELLINK, 0, linkMsg(l.Index)); err != nil && !rtnl.IsGone(err) {
			return fmt.Errorf("remove device %s: %w", name, err)
		}
		return nil
	})
}
