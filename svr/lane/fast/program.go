package fast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// constants are the values that a program is loaded with.
type constants map[string]any

// load loads one program of the object with the lane's maps.
func (l *Lane) load(name string, consts constants) (*ebpf.Program, error) {
	spec, err := readSpec()
	if err != nil {
		return nil, err
	}
	return l.loadSpec(spec, name, name, consts)
}

// loadPass loads a TC program that lets every packet pass. To whoever finds it on an
// interface it is one of this lane as any other.
func (l *Lane) loadPass() (*ebpf.Program, error) {
	const next = -1 // TC_ACT_UNSPEC
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: progTC, Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, next), asm.Return()}})
	if err != nil {
		return nil, fmt.Errorf("load program %s: %w", progTC, refused(err))
	}
	return prog, l.bind(prog)
}

// loadSpec loads a program of a spec, which it changes; the kernel knows it as label.
func (l *Lane) loadSpec(spec *ebpf.CollectionSpec, name, label string, consts constants) (*ebpf.Program, error) {
	spec.Programs[name].Name = label
	for other := range spec.Programs {
		if other != name {
			delete(spec.Programs, other)
		}
	}
	use := make(map[string]*ebpf.Map)
	for n, m := range l.maps {
		resize(spec.Maps[n], m.MaxEntries(), m.ValueSize())
		use[n] = m
	}
	for n, v := range consts {
		if err := spec.Variables[n].Set(v); err != nil {
			return nil, fmt.Errorf("set constant %s: %w", n, err)
		}
	}
	l.forgetVariables(spec)
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: use})
	if err != nil {
		return nil, fmt.Errorf("load program %s: %w", name, refused(err))
	}
	defer c.Close()
	prog := c.DetachProgram(name)
	return prog, l.bind(prog)
}

// forgetVariables takes the variables that stand for the lane's maps out of a
// spec: the loader would map each of them into memory once more, the session
// table with it, until some later collection of garbage.
func (l *Lane) forgetVariables(spec *ebpf.CollectionSpec) {
	for name, v := range spec.Variables {
		if _, shared := l.maps[v.SectionName]; shared {
			delete(spec.Variables, name)
		}
	}
}

// bind makes a program hold every map of the lane, so that a lane without XDP
// programs keeps their maps, too, when the process ends.
func (l *Lane) bind(prog *ebpf.Program) error {
	for n, m := range l.maps {
		if err := prog.BindMap(m); err != nil {
			prog.Close()
			return fmt.Errorf("bind map %s: %w", n, refused(err))
		}
	}
	return nil
}

// weaklyOrdered names the architectures whose loads may overtake each other.
func weaklyOrdered() uint32 {
	switch runtime.GOARCH {
	case "386", "amd64", "s390x":
		return 0
	}
	return 1
}

// constantsOf returns what the programs of a port are loaded with; older: programs
// of an older lane come after them.
func (l *Lane) constantsOf(c *PortConfig, older bool) (constants, error) {
	h, keys, err := l.header()
	if err != nil {
		return nil, fmt.Errorf("no table in the lane's memory: %w", err)
	}
	flag := func(b bool) uint32 {
		if b {
			return 1
		}
		return 0
	}
	var known, first uint32 // bytes of the rings
	var key uint64
	if r := l.rings; c.Ring && r != nil {
		known, first, key = uint32(r.known.size), uint32(r.first.size), r.known.key
	}
	return constants{
		"ring_size": known, "ring_first_size": first, "ring_key": key,
		"hash_key": keys, "buckets": h.Buckets, "base": h.Base, "slots": h.Slots,
		"hops": l.maps[mapHops].ValueSize() / hopSize, "netifs": l.maps[mapNetifs].ValueSize() / netifSize,
		"weak":    weaklyOrdered(),
		"ifindex": uint32(c.Index), "ingress": uint32(c.Untagged), "untagged": flag(c.Untagged != NoNetif),
		"l3dev": flag(c.L3), "below": flag(c.XDP), "magic": rand.Uint32() | 1, "tap": l.tap.ifindex(), "older": flag(older),
		"mac_a": uint32(binary.NativeEndian.Uint16(c.MAC[:])), "mac_b": binary.NativeEndian.Uint32(c.MAC[2:]),
	}, nil
}

// Try loads the programs that Attach will, and lets them go again: a kernel
// that refuses them is known before any packet depends on them.
func (l *Lane) Try() error {
	c := PortConfig{Untagged: NoNetif}
	consts, err := l.constantsOf(&c, false)
	if err != nil {
		return fmt.Errorf("try programs: %w", err)
	}
	prog, err := l.load(progTC, consts)
	if err == nil {
		err = errors.Join(l.steer(), prog.Close())
	}
	if err != nil {
		return fmt.Errorf("try programs: %w", err)
	}
	return nil
}
