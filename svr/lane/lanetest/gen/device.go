package gen

import (
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
)

// Ethtool commands that switch offloads (linux/ethtool.h).
const (
	EthtoolSGRO = 0x2c
	EthtoolSTSO = 0x1f
	EthtoolSGSO = 0x24
	EthtoolSTX  = 0x17
	EthtoolSRX  = 0x15
	EthtoolSSG  = 0x19
)

// Ethtool sets an on/off feature of an interface.
func Ethtool(t testing.TB, ns, dev string, cmd, value uint32) {
	t.Helper()
	nstest.In(t, ns, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		v := struct{ cmd, data uint32 }{cmd, value}
		ifr := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&v)}
		copy(ifr.name[:], dev)
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); e != 0 {
			return fmt.Errorf("ethtool %x on %s: %w", cmd, dev, e)
		}
		return nil
	})
}

// Link looks an interface up.
func Link(t testing.TB, ns, dev string) (l link.Link) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err = link.ByName(c, dev)
		return err
	})
	return l
}

// Sink drops everything that arrives at an interface, before the host's IP
// stack, until the test ends.
func Sink(t testing.TB, ns, dev string) {
	t.Helper()
	index := Link(t, ns, dev).Index
	drop := []uint64{insn(0xb7, 0, 0, 0, 2), insn(0x95, 0, 0, 0, 0)} // return TCX_DROP
	nstest.In(t, ns, func() error { return attachTCX(t, index, tcxIngress, drop) })
}
