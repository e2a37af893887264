package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Device is an open disk or partition that nobody else has: not another process
// of ours, and not the kernel, mounted. A file serves as well.
type Device struct {
	*os.File
	Size int64 // bytes
}

// ErrBusy: the device is mounted or somebody else has it.
var ErrBusy = errors.New("device is in use")

// OpenDevice opens for reading and writing, and waits for as long as patience if
// somebody else has it.
func OpenDevice(path string, patience time.Duration) (*Device, error) {
	for until := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return measured(f)
		case !errors.Is(err, unix.EBUSY):
			return nil, fmt.Errorf("open device: %w", err)
		case time.Now().After(until):
			return nil, fmt.Errorf("open %s: %w", path, ErrBusy)
		}
	}
}

func measured(f *os.File) (*Device, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("measure %s: %w", f.Name(), err), f.Close())
	}
	return &Device{f, size}, nil
}

// Forget drops what the kernel keeps of the device, so that reads come from the
// medium.
func (d *Device) Forget() error {
	fd := int(d.Fd())
	err := unix.IoctlSetInt(fd, unix.BLKFLSBUF, 0)
	if errors.Is(err, unix.ENOTTY) { // a file
		err = unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	}
	if err != nil {
		return fmt.Errorf("drop cache of %s: %w", d.Name(), err)
	}
	return nil
}

// Reread lets the kernel read the partition table anew.
func (d *Device) Reread() error {
	if err := unix.IoctlSetInt(int(d.Fd()), unix.BLKRRPART, 0); err != nil {
		return fmt.Errorf("read partitions of %s: %w", d.Name(), err)
	}
	return nil
}
