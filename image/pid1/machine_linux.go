package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"waymark/image/boot"
)

// machine carries the boot table out.
type machine struct {
	loader **loader // made when the first module is asked for: it needs /proc
}

// Mount implements boot.Machine.
func (m *machine) Mount(r boot.Mount) error {
	if err := os.MkdirAll(r.Target, 0o755); err != nil {
		return err
	}
	err := unix.Mount(r.Type, r.Target, r.Type, r.Flags, r.Options)
	if errors.Is(err, unix.EBUSY) || err != nil && mounted(r) {
		return nil
	}
	return err
}

// mounted says whether a file system of that type is mounted there already.
func mounted(r boot.Mount) bool {
	var here, above unix.Stat_t
	return unix.Stat(r.Target, &here) == nil && unix.Stat(filepath.Dir(r.Target), &above) == nil && here.Dev != above.Dev
}

// Node implements boot.Machine.
func (m *machine) Node(r boot.Node) error {
	err := unix.Mknod(r.Path, unix.S_IFCHR|0o600, int(unix.Mkdev(r.Major, r.Minor)))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// Link implements boot.Machine.
func (m *machine) Link(r boot.Link) error {
	err := os.Symlink(r.Target, r.Path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// Set implements boot.Machine.
func (m *machine) Set(r boot.Setting) error {
	return os.WriteFile("/proc/sys/"+r.Path, []byte(r.Value), 0o644)
}

// Load implements boot.Machine.
func (m *machine) Load(r boot.Module) error {
	if *m.loader == nil {
		l, err := newLoader()
		if err != nil {
			return fmt.Errorf("read module index: %w", err)
		}
		*m.loader = l
	}
	return (*m.loader).load(r.Name, r.Params)
}
