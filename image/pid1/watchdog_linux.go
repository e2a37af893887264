package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// watchdog is the device that resets the box unless it is fed.
type watchdog struct {
	f       *os.File
	Name    string        // what the driver calls itself
	timeout time.Duration // as the driver rounded it
	bitten  bool          // the last reset was its own
}

// cardReset is WDIOF_CARDRESET of linux/watchdog.h.
const cardReset = 0x20

// openWatchdog opens and so starts the watchdog, as early as there is one. A box
// without gets the kernel's own, which helps against everything but a dead kernel.
func (i *Init) openWatchdog() {
	want := i.board.Watchdog.Timeout
	if i.args.Watchdog > 0 {
		want = i.args.Watchdog
	}
	d, err := openDog(want)
	if err != nil {
		if err = i.loader.load("softdog", ""); err == nil {
			d, err = openDog(want)
		}
	}
	if err != nil {
		i.log.Error("no watchdog", "error", err)
		return
	}
	i.dog = d
	i.log.Info("watchdog", "device", d.Name, "timeout", d.timeout)
}

func openDog(want time.Duration) (*watchdog, error) {
	f, err := os.OpenFile("/dev/watchdog0", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	d := &watchdog{f: f, timeout: want, Name: "unknown"}
	fd := int(f.Fd())
	if n, err := unix.IoctlGetInt(fd, unix.WDIOC_GETBOOTSTATUS); err == nil {
		d.bitten = n&cardReset != 0
	}
	if info, err := unix.IoctlGetWatchdogInfo(fd); err == nil {
		d.Name = unix.ByteSliceToString(info.Identity[:])
	}
	if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, int(want/time.Second)); err != nil {
		f.Close() // it runs on: nobody feeds it, and the box starts again
		return nil, fmt.Errorf("set timeout of watchdog %s: %w", d.Name, err)
	}
	if n, err := unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT); err == nil && n > 0 {
		d.timeout = time.Duration(n) * time.Second
	}
	return d, d.feed()
}

// feed gives it another timeout. It never closes: only the kernel's end does.
func (d *watchdog) feed() error {
	_, err := d.f.Write([]byte{0})
	return err
}

// maxRecords is how many records of the kernel's ends are kept: each has some
// tens of kilobytes.
const maxRecords = 8

// crashRecords moves what the kernel kept of its own end to where it lasts, and
// returns the last words of it.
func crashRecords(from, to string) (words string) {
	files, _ := filepath.Glob(filepath.Join(from, "dmesg-*")) // the pattern is right
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if _, rest, ok := strings.Cut(string(b), "Kernel panic - "); ok {
			words, _, _ = strings.Cut(rest, "\n")
		}
		if to == "" || os.WriteFile(filepath.Join(to, filepath.Base(name)), b, 0o600) == nil {
			_ = os.Remove(name) // else the store fills up
		}
	}
	if to != "" {
		dropRecords(to)
	}
	return words
}

// dropRecords removes all but the newest records of a directory.
func dropRecords(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "dmesg-*")) // the pattern is right
	age := func(name string) time.Time {
		info, err := os.Stat(name)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	sort.SliceStable(files, func(i, j int) bool { return age(files[j]).Compare(age(files[i])) < 0 })
	for _, name := range files[min(len(files), maxRecords):] {
		_ = os.Remove(name) // one that stays goes next time
	}
}
