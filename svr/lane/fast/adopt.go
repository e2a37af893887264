package fast

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"waymark/svr/pool"
)

// adopt looks for programs of ours on the configured devices and takes their
// maps over. It leaves l as it was when there are none.
func (l *Lane) adopt() error {
	for _, index := range l.cfg.Devices {
		p, err := l.found(index)
		if err != nil {
			return fmt.Errorf("adopt from interface %d: %w", index, err)
		}
		if p != nil {
			l.ports[index] = p
		}
	}
	if l.maps == nil {
		return nil
	}
	return l.adoptTable()
}

// found opens the programs of ours on an interface, nil without.
func (l *Lane) found(index int) (*port, error) {
	p := &port{cfg: PortConfig{Index: index}}
	tcx, filters := tcPrograms(index)
	for i, id := range append(tcx, filters...) {
		prog, err := l.ours(id, progTC)
		if err != nil {
			return nil, err
		}
		if prog != nil && p.tc == nil {
			p.tc, p.tcx = prog, i < len(tcx)
		}
	}
	id, generic := xdpProgram(index)
	if id != 0 {
		prog, err := l.ours(id, progXDP)
		if err != nil {
			p.close()
			return nil, err
		}
		p.xdp, p.cfg.Generic = prog, generic
	}
	if p.tc == nil && p.xdp == nil {
		return nil, nil
	}
	return p, nil
}

// ours opens a program when its name says that it is ours, nil otherwise, and
// takes its maps when they are the first or the same.
func (l *Lane) ours(id ebpf.ProgramID, name string) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return nil, fmt.Errorf("open program %d: %w", id, refused(err))
	}
	info, err := prog.Info()
	if err != nil {
		prog.Close()
		return nil, fmt.Errorf("ask program %d: %w", id, err)
	}
	if !strings.HasPrefix(info.Name, stem) {
		prog.Close()
		return nil, nil
	}
	if info.Name != name {
		prog.Close()
		return nil, fmt.Errorf("program %s: %w", info.Name, ErrVersion)
	}
	ids, _ := info.MapIDs()
	if err := l.takeMaps(ids); err != nil {
		prog.Close()
		return nil, err
	}
	return prog, nil
}

// takeMaps opens the maps of a program by name. All programs of a lane share
// their maps; a program with other ones is left to be replaced.
func (l *Lane) takeMaps(ids []ebpf.MapID) error {
	if l.maps != nil && l.maps[mapTable] != nil && l.complete() {
		return nil
	}
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return fmt.Errorf("open map %d: %w", id, refused(err))
		}
		info, err := m.Info()
		if err != nil || !strings.Contains(info.Name, stem) || l.maps[info.Name] != nil {
			m.Close()
			continue
		}
		if l.maps == nil {
			l.maps = make(map[string]*ebpf.Map)
		}
		l.maps[info.Name] = m
	}
	return nil
}

func (l *Lane) complete() bool {
	for _, n := range mapNames {
		if l.maps[n] == nil {
			return false
		}
	}
	return true
}

// adoptTable checks the maps that were found.
func (l *Lane) adoptTable() error {
	spec, err := readSpec()
	if err != nil {
		return err
	}
	for _, n := range mapNames {
		m := l.maps[n]
		if m == nil {
			return fmt.Errorf("map %s missing: %w", n, ErrVersion)
		}
		s := spec.Maps[n]
		resize(s, m.MaxEntries(), m.ValueSize())
		if err := s.Compatible(m); err != nil {
			return fmt.Errorf("map %s: %w: %w", n, ErrVersion, err)
		}
	}
	if l.table, err = mapMemory(l.maps[mapTable]); err != nil {
		return err
	}
	h, err := pool.ReadHeader(l.Memory())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVersion, err)
	}
	if own, err := OwnerWord(); err != nil || h.Owner != own && alive(h.Owner) {
		return fmt.Errorf("process %d: %w", h.Owner>>startBits, ErrOwned)
	}
	l.adopted = true
	return nil
}
