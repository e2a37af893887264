package fast

import (
	"bytes"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/svr/pool"
)

// mapNames are the maps that programs share, in no order.
var mapNames = []string{mapTable, mapHops, mapNetifs, mapOwn, mapVLANs, mapDevs, mapCounts}

// readSpec parses the compiled object.
func readSpec() (*ebpf.CollectionSpec, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("read BPF object: %w", err)
	}
	return spec, nil
}

// createMaps makes the maps of a new lane.
func createMaps(cfg Config) (map[string]*ebpf.Map, error) {
	spec, err := readSpec()
	if err != nil {
		return nil, err
	}
	sizes := map[string]int{
		mapTable: (pool.MemorySize(pool.TableConfig{Slots: cfg.Slots}) + elemSize - 1) / elemSize,
		mapHops:  cfg.Hops, mapNetifs: cfg.Netifs, mapDevs: cfg.Netifs,
		mapOwn: cfg.Own, mapVLANs: cfg.VLANs, mapCounts: 1,
	}
	maps := make(map[string]*ebpf.Map)
	for _, name := range mapNames {
		s := spec.Maps[name]
		s.MaxEntries = uint32(sizes[name])
		m, err := ebpf.NewMap(s)
		if err != nil {
			closeMaps(maps)
			return nil, fmt.Errorf("create map %s: %w", name, refused(err))
		}
		maps[name] = m
	}
	return maps, nil
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
