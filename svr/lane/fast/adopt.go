package fast

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/svr/pool"
)

// adopt looks for programs of ours on the configured devices and takes the newest
// lane over; with cfg.Beside it takes none over. The others stay behind our
// programs. It leaves l as it was when there are none.
func (l *Lane) adopt() error {
	gens := map[ebpf.MapID]*generation{}
	defer func() { l.forget(gens) }()
	var newer []installed // with the maps of the newest table
	found := map[int]*port{}
	for _, index := range l.cfg.Devices {
		tc, xdp, generic, err := l.look(index, gens)
		p := &port{cfg: PortConfig{Index: index, Generic: generic}, older: tc}
		if xdp != nil {
			p.xdp, newer = xdp.Program, append(newer, *xdp)
		}
		if err != nil {
			p.close()
			return fmt.Errorf("adopt from interface %d: %w", index, err)
		}
		if len(tc) > 0 || xdp != nil {
			found[index] = p
		}
		newer = append(newer, tc...)
	}
	l.ports = found
	for _, g := range gens {
		if own, err := OwnerWord(); err != nil || g.header.Owner != own && alive(g.header.Owner) {
			return fmt.Errorf("process %d: %w", g.header.Owner>>startBits, ErrOwned)
		}
	}
	for _, g := range gens {
		if err := g.quiet(); err != nil {
			return err
		}
	}
	if gen := newest(gens); gen != nil && !l.cfg.Beside {
		for _, p := range newer {
			if p.gen == gen && p.name != progTC && p.name != progXDP {
				return fmt.Errorf("program %s: %w", p.name, ErrVersion)
			}
		}
		return l.adoptGeneration(gen, gens)
	}
	return l.leave(gens)
}

// forget closes the maps of the generations that l does not keep.
func (l *Lane) forget(gens map[ebpf.MapID]*generation) {
	for _, g := range gens {
		keep := l.older != nil && l.older.has(g) || l.maps != nil && l.maps[mapTable] == g.maps[mapTable]
		if !keep {
			closeMaps(g.maps)
		}
		if g.ring != nil {
			g.ring.Close()
		}
	}
}

// adoptGeneration takes a lane over. The first of its programs on a device is the
// port's, the others that were found there are older.
func (l *Lane) adoptGeneration(gen *generation, gens map[ebpf.MapID]*generation) error {
	if err := compatible(gen.maps); err != nil {
		return err
	}
	table, err := mapMemory(gen.maps[mapTable])
	if err != nil {
		return err
	}
	l.maps, l.table = gen.maps, table
	if _, err := pool.ReadHeader(l.Memory()); err != nil {
		return fmt.Errorf("%w: %w", ErrVersion, err)
	}
	for _, p := range l.ports {
		for i, o := range p.older {
			if o.gen == gen {
				p.tc, p.at = o.Program, o.at
				p.older = append(p.older[:i:i], p.older[i+1:]...)
				break
			}
		}
	}
	l.adopted = true
	delete(gens, gen.id)
	return l.leave(gens)
}

// compatible checks the maps that were found against those that programs of ours
// need.
func compatible(maps map[string]*ebpf.Map) error {
	specs := mapSpecs(Config{})
	for _, n := range mapNames {
		m := maps[n]
		if m == nil {
			return fmt.Errorf("map %s missing: %w", n, ErrVersion)
		}
		s := specs[n]
		s.MaxEntries = m.MaxEntries()
		if s.Flags&unix.BPF_F_MMAPABLE != 0 {
			s.ValueSize = m.ValueSize()
		}
		if err := s.Compatible(m); err != nil {
			return fmt.Errorf("map %s: %w: %w", n, ErrVersion, err)
		}
	}
	return nil
}
