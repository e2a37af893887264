package fast

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Values of linux/ethtool.h.
const (
	ethtoolGetFlags = 0x25
	ethtoolSetFlags = 0x26
	flagStripTags   = 1 << 8 // ETH_FLAG_RXVLAN
)

// Driver returns the name of an interface's driver, such as "igc" or "veth".
func Driver(name string) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
	if err != nil {
		return "", fmt.Errorf("ask driver of %s: %w", name, err)
	}
	return unix.ByteSliceToString(info.Driver[:]), nil
}

// StripsTags tells whether an interface takes VLAN tags off before an XDP
// program sees the frame, which could not tell tagged from untagged then.
func StripsTags(name string) (bool, error) {
	flags, err := ethtoolFlags(name, ethtoolGetFlags, 0)
	return flags&flagStripTags != 0, err
}

// SetStripTags switches that on or off.
func SetStripTags(name string, on bool) error {
	flags, err := ethtoolFlags(name, ethtoolGetFlags, 0)
	if err != nil {
		return err
	}
	flags &^= flagStripTags
	if on {
		flags |= flagStripTags
	}
	_, err = ethtoolFlags(name, ethtoolSetFlags, flags)
	return err
}

// ethtoolFlags asks for the flags of an interface or sets them.
func ethtoolFlags(name string, cmd, flags uint32) (uint32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	v := struct{ cmd, data uint32 }{cmd, flags}
	ifr := struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&v)}
	copy(ifr.name[:unix.IFNAMSIZ-1], name)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); e != 0 {
		return 0, fmt.Errorf("ethtool flags of %s: %w", name, e)
	}
	return v.data, nil
}
