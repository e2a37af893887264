package swap

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Module is the kernel's disk in memory, Device what On swaps to.
const (
	Module = "zram"
	Device = "/dev/zram0"
)

// settings is where the disk is set up.
const settings = "/sys/block/zram0/"

// Total is the memory of this machine, in bytes.
func Total() (uint64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return uint64(info.Totalram) * uint64(info.Unit), nil
}

// On makes the disk and lets the kernel swap to it. The module is loaded.
func On(s Sizes) error {
	// Its size comes last: from then on nothing else can be set.
	err := errors.Join(set(settings+"mem_limit", s.Limit), set(settings+"disksize", s.Disk),
		set("/proc/sys/vm/page-cluster", 0)) // no seeks: one page at a time
	if err != nil {
		return fmt.Errorf("make swap: %w", err)
	}
	f, err := os.OpenFile(Device, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("make swap: %w", err)
	}
	_, err = f.WriteAt(Header(s.Disk), 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("make swap: %w", err)
	}
	path, err := unix.BytePtrFromString(Device)
	if err != nil {
		return fmt.Errorf("make swap: %w", err)
	}
	if _, _, e := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(path)), 0, 0); e != 0 {
		return fmt.Errorf("swap on %s: %w", Device, e)
	}
	return nil
}

func set(name string, value uint64) error {
	return os.WriteFile(name, strconv.AppendUint(nil, value, 10), 0)
}
