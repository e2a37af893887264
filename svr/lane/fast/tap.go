package fast

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/rtnl"
)

// tap is the interface that programs punt to. It stays when the process ends,
// so that its number stays valid; without readers it drops and counts.
type tap struct {
	name   string
	index  int
	queues []*Queue
}

// Offloads that a reader of the TAP can take (linux/if_tun.h).
const (
	tunCsum = 1 << 0
	tunTSO4 = 1 << 1
	tunTSO6 = 1 << 2
	tunECN  = 1 << 3
	tunUSO4 = 1 << 5
	tunUSO6 = 1 << 6

	tunSetSteering = 0x800454e0 // TUNSETSTEERINGEBPF
)

// openTap makes the TAP or attaches to the one that is there; nil when the
// configuration wants none.
func openTap(cfg Config) (*tap, error) {
	if cfg.Tap == "-" {
		return nil, nil
	}
	t := &tap{name: cfg.Tap}
	for range 2 * cfg.Workers {
		fd, err := openQueue(cfg.Tap)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("open TAP %s: %w", cfg.Tap, err)
		}
		t.queues = append(t.queues, newQueue(fd))
	}
	if err := t.setUp(cfg); err != nil {
		t.close()
		return nil, fmt.Errorf("set up TAP %s: %w", cfg.Tap, err)
	}
	return t, nil
}

func openQueue(name string) (fd int, err error) {
	if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		return -1, err
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	if err == nil {
		err = unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
	}
	if err == nil {
		err = setOffload(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// setOffload asks for all offloads, without UDP ones before Linux 6.2.
func setOffload(fd int) error {
	all := tunCsum | tunTSO4 | tunTSO6 | tunECN
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, all|tunUSO4|tunUSO6) == nil {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, all)
}

// refuseIPv6 keeps the kernel's IPv6, if it has any, off an interface.
func refuseIPv6(name string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// setUp brings the interface up. The kernel itself has no business on it: no
// IPv6 and no ARP.
func (t *tap) setUp(cfg Config) error {
	if err := refuseIPv6(t.name); err != nil {
		return err
	}
	return withConn(func(c *rtnl.Conn) error {
		l, err := link.ByName(c, t.name)
		if err != nil {
			return err
		}
		t.index = l.Index
		const mtu = 65535
		h := linkMsg(l.Index)
		putFlags(h, unix.IFF_UP|unix.IFF_NOARP)
		body := rtnl.NewBody(h).U32(unix.IFLA_TXQLEN, uint32(cfg.Backlog)).U32(unix.IFLA_MTU, mtu-14)
		if err := c.Request(unix.RTM_NEWLINK, 0, body.Data()); err != nil {
			return err
		}
		return noQueue(c, l.Index)
	})
}

// noQueue takes the queueing discipline off an interface whose driver queues by
// itself and drops what does not fit: an eighth of what a punt costs.
func noQueue(c *rtnl.Conn, index int) error {
	body := rtnl.NewBody(tcMsg(index, 0, tcRoot, 0)).String(tcaKind, "noqueue")
	err := c.Request(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, body.Data())
	if err != nil && !refusable(err) {
		return fmt.Errorf("set queueing discipline: %w", err)
	}
	return nil
}

// refusable: the kernel has no such thing, or knows it by another name.
func refusable(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT)
}

// steer gives the TAP the program that chooses queues.
func (t *tap) steer(prog *ebpf.Program) error {
	fd := prog.FD()
	if err := unix.IoctlSetPointerInt(t.queues[0].fd, tunSetSteering, fd); err != nil {
		return fmt.Errorf("steer TAP %s: %w", t.name, err)
	}
	return nil
}

// ifindex is the interface to punt to, 0 for none.
func (t *tap) ifindex() uint32 {
	if t == nil {
		return 0
	}
	return uint32(t.index)
}

// lost returns the packets that the TAP dropped.
func (t *tap) lost() (n uint64) {
	if t == nil {
		return 0
	}
	return dropsOf(t.index)
}

// remove takes the interface away.
func (t *tap) remove() error {
	if err := unix.IoctlSetInt(t.queues[0].fd, unix.TUNSETPERSIST, 0); err != nil {
		return fmt.Errorf("remove TAP %s: %w", t.name, err)
	}
	return nil
}

func (t *tap) close() {
	for _, q := range t.queues {
		unix.Close(q.fd)
	}
	t.queues = nil
}
