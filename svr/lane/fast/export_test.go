package fast

import (
	"bytes"

	"github.com/cilium/ebpf"
)

// Names of the programs, for tests that run them without a device.
const (
	ProgTC    = progTC
	ProgXDP   = progXDP
	ProgBlind = progBlind
)

// Load loads a program as Attach would for c.
func (l *Lane) Load(name string, c PortConfig) (*ebpf.Program, error) {
	consts, err := l.constantsOf(&c)
	if err != nil {
		return nil, err
	}
	return l.load(name, consts)
}

// LoadOther loads a program of another object with the lane's maps and constants,
// and with a map of its own that has n entries.
func (l *Lane) LoadOther(object []byte, name, own string, n int, c PortConfig) (*ebpf.Program, *ebpf.Map, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, nil, err
	}
	for p := range spec.Programs {
		if p != name {
			delete(spec.Programs, p)
		}
	}
	consts, err := l.constantsOf(&c)
	if err != nil {
		return nil, nil, err
	}
	for n, v := range consts {
		if spec.Variables[n] != nil {
			if err := spec.Variables[n].Set(v); err != nil {
				return nil, nil, err
			}
		}
	}
	spec.Maps[own].MaxEntries = uint32(n)
	use := make(map[string]*ebpf.Map)
	for n, m := range l.maps {
		if spec.Maps[n] != nil {
			resize(spec.Maps[n], m.MaxEntries(), m.ValueSize())
			use[n] = m
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: use})
	if err != nil {
		return nil, nil, err
	}
	defer coll.Close()
	return coll.DetachProgram(name), coll.DetachMap(own), nil
}

// TakeOff takes the programs off an interface behind the lane's back.
func (l *Lane) TakeOff(index int) error {
	p := l.ports[index]
	if p.xdp != nil {
		return detachXDP(index, p.xdp, p.cfg.Generic)
	}
	return detachTC(index, p.tc, p.tcx)
}

// PutBack attaches again what TakeOff took off.
func (l *Lane) PutBack(index int) error {
	p := l.ports[index]
	if p.xdp != nil {
		return attachXDP(index, p.xdp, nil, p.cfg.Generic)
	}
	_, err := attachTC(p.cfg, p.tc, nil, false)
	return err
}

// AtIngress are the programs at an interface's ingress, of whoever.
func AtIngress(index int) []ebpf.ProgramID {
	tcx, filters := tcPrograms(index)
	return append(tcx, filters...)
}
