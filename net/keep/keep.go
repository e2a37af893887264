// Package keep keeps what must outlive a process in files: replaced whole, and
// stamped so that a later process can tell how old they are although a reboot
// may have taken the wall clock away.
package keep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Stamp is an instant by two clocks: the one that counts from boot while the
// machine is up, and the wall clock.
type Stamp struct {
	Wall   time.Time     `json:"wall"`
	Boot   string        `json:"boot"` // of the machine, random
	Uptime time.Duration `json:"uptime-ns"`
}

// Now reads both clocks.
func Now() Stamp {
	s := Stamp{Wall: time.Now()}
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // empty: as after a reboot
	s.Boot = strings.TrimSpace(string(id))
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
		s.Uptime = time.Duration(ts.Nano())
	}
	return s
}

// Since returns how long before now s was. known is false when no clock can
// tell: the machine has rebooted and its wall clock lies before s.
func (s Stamp) Since(now Stamp) (age time.Duration, known bool) {
	if s.Boot != "" && s.Boot == now.Boot {
		age = now.Uptime - s.Uptime
	} else {
		age = now.Wall.Sub(s.Wall)
	}
	return age, age >= 0
}

// Replace writes a file so that a power cut leaves the old or the new one, and
// the new one once it has returned.
func Replace(path string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Exchange writes a file so that readers see the old or the new one. It waits
// for no disk: it is for what need not outlive the boot.
func Exchange(path string, b []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path+".new", b, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// ErrSize: a file is larger than its reader takes.
var ErrSize = errors.New("file too large")

// Read reads a file of at most so many bytes.
func Read(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%w: %d bytes", ErrSize, info.Size())
	}
	return os.ReadFile(path)
}
