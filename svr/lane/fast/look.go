package fast

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/svr/pool"
)

// Lanes of other layouts. What this file believes of a lane that it does not know
// otherwise holds in every version, and must: the stem of the names; a map whose
// name has tableStem, mappable, with the header that pool.PeekHeader reads; one
// with countsName in its name, whose value begins with three counters that countTC,
// countForwardTC and countForwardXDP say; the mark of punted packets (punt.go);
// and that a TC program leaves a packet to the next program by TC_ACT_UNSPEC, and
// punts to the TAP of this name what it does not know.
const (
	tableStem  = stem + "table"
	countsStem = stem + "counts"
	headerPage = 4096
)

// place is where a TC program is.
type place struct {
	tcx      bool
	priority uint16 // of a filter
}

// installed is a program of ours that is on a device.
type installed struct {
	*ebpf.Program
	name string
	at   place // of a TC program
	gen  *generation
}

// generation is what programs share that stand for one lane: the maps.
type generation struct {
	id     ebpf.MapID // of the table
	header pool.Header
	maps   map[string]*ebpf.Map
	ring   *ebpf.Map // nil: none that we know, or it is quiet
	bytes  int       // that all its maps take
}

// look finds the programs of ours on a device and the lanes they belong to: those at
// the TC hook in the order in which packets meet them, and the one at the XDP hook.
func (l *Lane) look(index int, gens map[ebpf.MapID]*generation) (tc []installed, xdp *installed, generic bool, err error) {
	for _, p := range tcPrograms(index) {
		found, err := l.ours(p.id, gens)
		if err != nil {
			return tc, nil, false, err
		}
		if found != nil {
			found.at = p.place
			tc = append(tc, *found)
		}
	}
	id, generic := xdpProgram(index)
	if id != 0 {
		xdp, err = l.ours(id, gens)
	}
	return tc, xdp, generic, err
}

// ours opens a program when its name says that it is ours, nil otherwise.
func (l *Lane) ours(id ebpf.ProgramID, gens map[ebpf.MapID]*generation) (*installed, error) {
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
	ids, _ := info.MapIDs()
	gen, err := belongs(ids, gens)
	if err != nil {
		prog.Close()
		return nil, fmt.Errorf("program %s: %w", info.Name, err)
	}
	return &installed{Program: prog, name: info.Name, gen: gen}, nil
}

// belongs finds the generation of a program by its maps, or opens a new one.
func belongs(ids []ebpf.MapID, gens map[ebpf.MapID]*generation) (*generation, error) {
	for _, id := range ids {
		if g := gens[id]; g != nil {
			return g, nil
		}
	}
	g := &generation{maps: map[string]*ebpf.Map{}}
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			closeMaps(g.maps)
			return nil, fmt.Errorf("open map %d: %w", id, refused(err))
		}
		info, err := m.Info()
		if err == nil && info.Name == mapRing && g.ring == nil {
			g.ring = m
			continue
		}
		if err != nil || !strings.Contains(info.Name, stem) || g.maps[info.Name] != nil {
			m.Close()
			continue
		}
		g.maps[info.Name] = m
		size, _ := info.Memlock() // 0 where the kernel does not tell
		g.bytes += int(size)
		if strings.Contains(info.Name, tableStem) {
			g.id = id
		}
	}
	if err := g.readHeader(); err != nil {
		closeMaps(g.maps)
		return nil, err
	}
	gens[g.id] = g
	return g, nil
}

// readHeader reads what the header of a table says in every layout.
func (g *generation) readHeader() error {
	for name, m := range g.maps {
		if !strings.Contains(name, tableStem) {
			continue
		}
		mem, err := unix.Mmap(m.FD(), 0, headerPage, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("map header: %w: %w", ErrVersion, err)
		}
		defer unix.Munmap(mem)
		if g.header, err = pool.PeekHeader(mem); err != nil {
			return fmt.Errorf("%w: %w", ErrVersion, err)
		}
		return nil
	}
	return fmt.Errorf("no table: %w", ErrVersion)
}

// forwarded is how many packets the programs of a generation forwarded.
func (g *generation) forwarded() (n uint64) {
	for name, m := range g.maps {
		var cpus [][]byte
		if !strings.Contains(name, countsStem) || m.ValueSize() < 8*(countForwardXDP+1) || m.Lookup(uint32(0), &cpus) != nil {
			continue
		}
		for _, b := range cpus {
			n += word(b, countForwardTC) + word(b, countForwardXDP)
		}
	}
	return n
}

// newest returns the generation whose table was made last, nil without any.
func newest(gens map[ebpf.MapID]*generation) *generation {
	if len(gens) == 0 {
		return nil
	}
	return slices.MaxFunc(slices.Collect(maps.Values(gens)), func(a, b *generation) int {
		return int(min(max(a.header.Clock-b.header.Clock, -1), 1))
	})
}
