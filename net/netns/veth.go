package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/net/addr"
	"waymark/net/link"
	"waymark/net/rtnl"
)

// End is one end of a veth pair.
type End struct {
	NS    string         // namespace; "" is the calling thread's
	Name  string         // interface name there
	MAC   [6]byte        // zero: the kernel chooses
	Addrs []netip.Prefix // set without duplicate address detection
	MTU   int            // 0: 1,500
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// Veth makes a pair of connected interfaces, gives both ends their addresses
// and brings them up.
func Veth(a, b End) error {
	if err := in(a.NS, func() error { return makeVeth(a, b) }); err != nil {
		return fmt.Errorf("make veth %s-%s: %w", a.Name, b.Name, err)
	}
	for _, e := range []End{a, b} {
		if err := in(e.NS, e.up); err != nil {
			return fmt.Errorf("bring up %s: %w", e.Name, err)
		}
	}
	for _, e := range []End{a, b} {
		if err := in(e.NS, e.await); err != nil {
			return fmt.Errorf("wait for %s: %w", e.Name, err)
		}
	}
	return nil
}

// await waits until the kernel has noticed the carrier of an end, which may
// take it a second; IPv6 begins to work then.
func (e End) await() error {
	changes := make(chan link.Change, 64)
	w, err := link.Watch(func(c link.Change) {
		select {
		case changes <- c:
		default: // the first ones say enough
		}
	})
	if err != nil {
		return err
	}
	defer w.Close()
	timeout := time.After(10 * time.Second)
	for {
		ready := false
		err := withConn(func(c *rtnl.Conn) error {
			l, err := link.ByName(c, e.Name)
			ready = l.Oper == link.OperUp
			return err
		})
		if err != nil || ready {
			return err
		}
		select {
		case <-changes:
		case <-timeout:
			return errors.New("no carrier")
		}
	}
}

// makeVeth runs in the namespace of end a; end b is born in its own.
func makeVeth(a, b End) error {
	peer := linkBody(b)
	if b.NS != "" {
		f, err := os.Open(filepath.Join(Dir, b.NS))
		if err != nil {
			return err
		}
		defer f.Close()
		peer.U32(unix.IFLA_NET_NS_FD, uint32(f.Fd()))
	}
	data := rtnl.NewBody(nil).Bytes(vethInfoPeer, peer.Data())
	body := linkBody(a).Nest(unix.IFLA_LINKINFO, rtnl.NewBody(nil).
		String(unix.IFLA_INFO_KIND, "veth").Nest(unix.IFLA_INFO_DATA, data))
	return withConn(func(c *rtnl.Conn) error {
		return c.Request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, body.Data())
	})
}

func linkBody(e End) *rtnl.Body {
	body := rtnl.NewBody(make([]byte, unix.SizeofIfInfomsg)).String(unix.IFLA_IFNAME, e.Name)
	if e.MAC != ([6]byte{}) {
		body.Bytes(unix.IFLA_ADDRESS, e.MAC[:])
	}
	if e.MTU != 0 {
		body.U32(unix.IFLA_MTU, uint32(e.MTU))
	}
	return body
}

// up gives an end its addresses and brings it up. Duplicate address detection
// is switched off, for the link-local address too: it would keep IPv6 silent
// for two seconds.
func (e End) up() error {
	dad := "/proc/sys/net/ipv6/conf/" + e.Name + "/accept_dad"
	if err := os.WriteFile(dad, []byte("0"), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return withConn(func(c *rtnl.Conn) error {
		l, err := link.ByName(c, e.Name)
		if err != nil {
			return err
		}
		have, err := addr.List(c)
		if err != nil {
			return err
		}
		// Apply removes what is not wanted: what is there is wanted too.
		for _, p := range e.Addrs {
			have = append(have, addr.Address{Index: l.Index, Prefix: p})
		}
		if _, err := addr.Apply(c, have); err != nil {
			return err
		}
		return link.SetUp(c, l.Index, true)
	})
}

func loopbackUp() error {
	return withConn(func(c *rtnl.Conn) error { return link.SetUp(c, 1, true) })
}

func withConn(fn func(*rtnl.Conn) error) error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(c)
}

func in(ns string, fn func() error) error {
	if ns == "" {
		return fn()
	}
	return Do(ns, fn)
}
