package pid1

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"waymark/image/modules"
)

// loader loads modules of the running kernel. Safe for any goroutine.
type loader struct {
	dir   string
	index *modules.Index
	whole bool // the kernel has no modules: everything is built in

	mu   sync.Mutex // guards done
	done map[string]error
}

func newLoader() (*loader, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, err
	}
	l := &loader{dir: filepath.Join("/lib/modules", unix.ByteSliceToString(u.Release[:])), done: map[string]error{}}
	if _, err := os.Stat(l.dir); errors.Is(err, fs.ErrNotExist) {
		l.whole, l.index = true, modules.Parse(nil, nil, nil)
		return l, nil
	}
	var parts [3][]byte
	for i, name := range []string{modules.DepFile, modules.BuiltinFile, modules.AliasFile} {
		b, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil {
			return nil, err
		}
		parts[i] = b
	}
	l.index = modules.Parse(parts[0], parts[1], parts[2])
	return l, nil
}

// load loads a module and what it needs. One that is there, or built in, is no
// error. A kernel without modules has all that it has built in.
func (l *loader) load(name, params string) error {
	files, err := l.index.Order(name)
	if err != nil {
		if l.whole {
			return nil
		}
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, file := range files {
		p := ""
		if n == len(files)-1 {
			p = params
		}
		if err := l.insert(file, p); err != nil {
			return err
		}
	}
	return nil
}

// insert loads one file, once; l.mu is held.
func (l *loader) insert(file, params string) error {
	if err, ok := l.done[file]; ok {
		return err
	}
	f, err := os.Open(filepath.Join(l.dir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), params, 0)
	if errors.Is(err, unix.EEXIST) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("load %s: %w", modules.Name(file), err)
	}
	l.done[file] = err
	return err
}

// device loads what a device asks for.
func (l *loader) device(modalias string) (loaded []string, errs []error) {
	for _, name := range l.index.For(modalias) {
		if err := l.load(name, ""); err != nil {
			errs = append(errs, err)
			continue
		}
		loaded = append(loaded, name)
	}
	return loaded, errs
}

// coldplug loads the drivers of all devices that are there. A driver may bring
// new devices (a USB host its sticks): they are told as events.
func (i *Init) coldplug() {
	if i.loader == nil || i.loader.whole {
		return
	}
	if err := i.hotplug(); err != nil {
		i.log.Warn("devices that are plugged in later are not noticed", "error", err)
	}
	files, _ := filepath.Glob("/sys/bus/*/devices/*/modalias") // the pattern is right
	var seen []string
	for _, name := range files {
		b, err := os.ReadFile(name)
		modalias := string(bytes.TrimSpace(b))
		if err != nil || slices.Contains(seen, modalias) {
			continue
		}
		seen = append(seen, modalias)
		i.drive(modalias)
	}
}

func (i *Init) drive(modalias string) {
	_, errs := i.loader.device(modalias)
	for _, err := range errs {
		i.log.Warn("driver left out", "device", modalias, "error", err)
	}
}

// hotplug listens to the kernel's events about devices.
func (i *Init) hotplug() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	const kernel = 1
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernel}); err != nil {
		unix.Close(fd)
		return err
	}
	i.spawn(func() {
		b := make([]byte, 8<<10)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				continue // lost events; what is there was seen by coldplug
			}
			i.plugged(string(b[:n]))
		}
	})
	return nil
}

// plugged handles one event: its fields end with zero bytes.
func (i *Init) plugged(event string) {
	field := map[string]string{}
	for _, f := range strings.Split(event, "\x00") {
		if k, v, ok := strings.Cut(f, "="); ok {
			field[k] = v
		}
	}
	if field["ACTION"] != "add" {
		return
	}
	if m := field["MODALIAS"]; m != "" {
		i.drive(m)
	}
	if field["SUBSYSTEM"] == "net" {
		i.post(i.namePorts)
	}
}

// Modprobe loads modules by name or alias, as the kernel asks its helper
// (/sbin/modprobe -q -- NAME) when something needs a module that is not there.
func Modprobe(args []string) error {
	l, err := newLoader()
	if err != nil {
		return err
	}
	for _, name := range args {
		if strings.HasPrefix(name, "-") {
			continue
		}
		err := l.load(name, "")
		var none modules.ErrNone
		if !errors.As(err, &none) {
			return err
		}
		if loaded, errs := l.device(name); len(loaded) == 0 {
			return errors.Join(append(errs, none)...)
		}
	}
	return nil
}
