package fast

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/rtnl"
)

// Clear takes the programs of lanes of any version off cfg.Devices, and TAP and
// cutter away: what Open refused, whatever the reason, would go on forwarding
// beside a service lane otherwise. The sessions there end with it.
func Clear(cfg Config) error {
	cfg = cfg.defaults()
	var errs []error
	for _, index := range cfg.Devices {
		for _, t := range tcPrograms(index) {
			errs = append(errs, clear1(t.id, func(p *ebpf.Program) error { return detachTC(index, p, t.place) }))
		}
		if id, generic := xdpProgram(index); id != 0 {
			errs = append(errs, clear1(id, func(p *ebpf.Program) error { return detachXDP(index, p, generic) }))
		}
	}
	errs = append(errs, clearTap(cfg.Tap))
	if err := removeCutter(cfg.Cutter); !errors.Is(err, ErrConfig) { // another device of that name is not ours
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clear fast lane: %w", err)
	}
	return nil
}

// clear1 detaches a program if its name says that it is ours.
func clear1(id ebpf.ProgramID, detach func(*ebpf.Program) error) error {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return fmt.Errorf("open program %d: %w", id, refused(err))
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil || !strings.HasPrefix(info.Name, stem) {
		return err
	}
	return detach(p)
}

// clearTap removes a TAP that is there. Another kind of interface of that name
// is an error: it is not ours.
func clearTap(name string) error {
	if name == "-" {
		return nil
	}
	err := withConn(func(c *rtnl.Conn) error { _, err := link.ByName(c, name); return err })
	if errors.Is(err, link.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	fd, err := openQueue(name)
	if err != nil {
		return fmt.Errorf("open TAP %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 0); err != nil {
		return fmt.Errorf("remove TAP %s: %w", name, err)
	}
	return nil
}
