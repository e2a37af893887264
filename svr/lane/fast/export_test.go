package fast

import (
	"bytes"
	"encoding/binary"

	"github.com/cilium/ebpf"

	"waymark/svr/pool"
)

// Names of the programs, for tests that run them without a device.
const (
	ProgTC  = progTC
	ProgXDP = progXDP
)

// RingReserved is how many bytes of the rings programs took so far.
func (l *Lane) RingReserved() (known, first uint64) {
	return l.rings.known.word(ringReserved).Load(), l.rings.first.word(ringReserved).Load()
}

// Load loads a program as Attach would for c.
func (l *Lane) Load(name string, c PortConfig) (*ebpf.Program, error) {
	consts, err := l.constantsOf(&c, false)
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
	consts, err := l.constantsOf(&c, false)
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
	return detachTC(index, p.tc, p.at)
}

// PutBack attaches again what TakeOff took off.
func (l *Lane) PutBack(index int) error {
	p := l.ports[index]
	if p.xdp != nil {
		return attachXDP(index, p.xdp, nil, p.cfg.Generic)
	}
	_, err := attachTC(index, p.at, p.tc, nil)
	return err
}

// MakeForeign makes the lane one of a layout that nobody knows: another version in the
// table's header, and another name of the TC programs on the devices.
func (l *Lane) MakeForeign(version uint32, name string) error {
	const offVersion = 8
	binary.NativeEndian.PutUint32(l.table[offVersion:], pool.LayoutVersion)
	for index, p := range l.ports {
		consts, err := l.constantsOf(&p.cfg, len(p.older) > 0)
		if err != nil {
			return err
		}
		spec, err := readSpec()
		if err != nil {
			return err
		}
		prog, err := l.loadSpec(spec, progTC, name, consts)
		if err != nil {
			return err
		}
		renamed := &port{cfg: PortConfig{Index: index}, tc: prog}
		if err := renamed.replaceTC(p); err != nil {
			return err
		}
		p.tc.Close()
		p.tc = prog
	}
	binary.NativeEndian.PutUint32(l.table[offVersion:], version)
	return nil
}

// Programs returns how many TC programs are at the ingress of an interface.
func Programs(index int) int { return len(tcPrograms(index)) }

// LoadInFront loads the TC program as Attach would for c with an older lane behind it.
func (l *Lane) LoadInFront(c PortConfig) (*ebpf.Program, error) {
	consts, err := l.constantsOf(&c, true)
	if err != nil {
		return nil, err
	}
	return l.load(progTC, consts)
}

// AtIngress are the programs at an interface's ingress, of whoever.
func AtIngress(index int) (ids []ebpf.ProgramID) {
	for _, p := range tcPrograms(index) {
		ids = append(ids, p.id)
	}
	return ids
}
