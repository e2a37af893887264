package fast

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
)

// Clear takes the programs of lanes of any version off interfaces: what Open
// refused with ErrVersion. Their sessions end with them.
func Clear(devices []int) error {
	var errs []error
	for _, index := range devices {
		tcx, filters := tcPrograms(index)
		for i, id := range append(tcx, filters...) {
			errs = append(errs, clear1(id, func(p *ebpf.Program) error { return detachTC(index, p, i < len(tcx)) }))
		}
		if id, generic := xdpProgram(index); id != 0 {
			errs = append(errs, clear1(id, func(p *ebpf.Program) error { return detachXDP(index, p, generic) }))
		}
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
		return refused(err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil || !strings.HasPrefix(info.Name, stem) {
		return err
	}
	return detach(p)
}
