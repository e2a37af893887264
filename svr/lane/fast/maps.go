package fast

import (
	"fmt"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/svr/pool"
)

// mapNames are the maps that programs share, in no order.
var mapNames = []string{mapTable, mapHops, mapNetifs, mapOwn, mapVLANs, mapDevs, mapCounts}

// parsed is the compiled object, 0.2 MB. A start needs it for every device, and to
// parse it once more costs a small processor some milliseconds.
var parsed struct {
	sync.Mutex
	spec *ebpf.CollectionSpec // nil: not yet, or forgotten
}

// readSpec returns the compiled object; the spec is the caller's.
func readSpec() (*ebpf.CollectionSpec, error) {
	parsed.Lock()
	defer parsed.Unlock()
	if parsed.spec == nil {
		spec, err := ebpf.LoadCollectionSpecFromReader(strings.NewReader(object))
		if err != nil {
			return nil, fmt.Errorf("read BPF object: %w", err)
		}
		parsed.spec = spec
	}
	return parsed.spec.Copy(), nil
}

// Tidy forgets what is made again for the next device: when a start is over.
func Tidy() {
	parsed.Lock()
	defer parsed.Unlock()
	parsed.spec = nil
}

// mapSpecs are the maps of a lane as the object has them (TestMapSpecs), in the sizes
// of cfg and without the types that nobody needs: a start that has no program to load
// yet need not read the object.
func mapSpecs(cfg Config) map[string]*ebpf.MapSpec {
	list := make(map[string]*ebpf.MapSpec)
	add := func(name string, typ ebpf.MapType, key, value, entries int, flags uint32) {
		list[name] = &ebpf.MapSpec{Name: name, Type: typ, KeySize: uint32(key), ValueSize: uint32(value), MaxEntries: uint32(entries), Flags: flags}
	}
	add(mapTable, ebpf.Array, 4, pool.MemorySize(pool.TableConfig{Slots: cfg.Slots}), 1, unix.BPF_F_MMAPABLE)
	add(mapHops, ebpf.Array, 4, cfg.Hops*hopSize, 1, unix.BPF_F_MMAPABLE)
	add(mapNetifs, ebpf.Array, 4, cfg.Netifs*netifSize, 1, unix.BPF_F_MMAPABLE)
	add(mapOwn, ebpf.Hash, ownKeySize, ownSize, cfg.Own, 0)
	add(mapVLANs, ebpf.Hash, vlanKeySize, vlanSize, cfg.VLANs, 0)
	add(mapDevs, ebpf.DevMap, 4, 4, cfg.Netifs, 0)
	add(mapCounts, ebpf.PerCPUArray, 4, countsSize, 1, 0)
	return list
}

// createMaps makes the maps of a new lane.
func createMaps(cfg Config) (map[string]*ebpf.Map, error) {
	maps := make(map[string]*ebpf.Map)
	for name, s := range mapSpecs(cfg) {
		m, err := ebpf.NewMap(s)
		if err != nil {
			closeMaps(maps)
			return nil, fmt.Errorf("create map %s: %w", name, refused(err))
		}
		maps[name] = m
	}
	return maps, nil
}

// resize gives a map of the object its real size. The large values are data
// sections to the compiler, with contents and types that do not fit any more. Go maps
// them all, also where the real size is that of the compiler: one network-interface.
func resize(s *ebpf.MapSpec, entries, value uint32) {
	s.MaxEntries = entries
	if s.Type == ebpf.Array {
		s.ValueSize, s.Contents, s.Key, s.Value = value, nil, nil, nil
		s.Flags |= unix.BPF_F_MMAPABLE
	}
}

func closeMaps(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		m.Close()
	}
}

// mapMemory maps the values of a memory-mappable array; n bytes of it count.
func mapMemory(m *ebpf.Map) ([]byte, error) {
	n := int(m.MaxEntries()) * int(m.ValueSize())
	page := unix.Getpagesize()
	mem, err := unix.Mmap(m.FD(), 0, (n+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", n, err)
	}
	return mem, nil
}
