package vm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/rtnl"
)

// TAP makes a TAP device in a namespace, up and without an address, and returns
// its descriptor for a NIC. The device goes when the descriptor is closed. It
// takes super-packets and unfinished checksums, as a machine's card would.
func TAP(ns, name string) (*os.File, error) {
	var f *os.File
	err := netns.Do(ns, func() (err error) {
		f, err = openTAP(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make TAP %s: %w", name, err)
	}
	return f, nil
}

// openTAP runs on a thread in the namespace: the device is born where the file
// was opened.
func openTAP(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err == nil {
		err = bringUp(name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func bringUp(name string) error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := link.ByName(c, name)
	if err != nil {
		return err
	}
	return link.SetUp(c, l.Index, true)
}
