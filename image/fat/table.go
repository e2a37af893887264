package fat

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Values of the table.
const (
	endOfChain = 0x0fffffff // what we write; from lastChain on others mean the same
	lastChain  = 0x0ffffff8
	badCluster = 0x0ffffff7
	valueBits  = 0x0fffffff // the upper four bits belong to nobody
)

// Volume is an open file system.
type Volume struct {
	geometry
	disk  Disk
	table []byte // the first table as it is on the disk, plus changes not yet written
	dirty map[int64]bool
}

// Open reads the volume's geometry and table.
func Open(d Disk) (*Volume, error) {
	boot := make([]byte, sector)
	if _, err := d.ReadAt(boot, 0); err != nil {
		return nil, fmt.Errorf("read boot sector: %w", err)
	}
	g, err := parseBoot(boot)
	if err != nil {
		return nil, err
	}
	v := &Volume{geometry: g, disk: d, dirty: map[int64]bool{}}
	v.table = make([]byte, (4*(int64(g.clusters)+2)+sector-1)/sector*sector)
	if _, err := d.ReadAt(v.table, g.firstFAT*sector); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	return v, nil
}

func (v *Volume) value(cluster uint32) uint32 {
	return binary.LittleEndian.Uint32(v.table[4*cluster:]) & valueBits
}

func (v *Volume) set(cluster, value uint32) {
	b := v.table[4*cluster:]
	upper := binary.LittleEndian.Uint32(b) &^ uint32(valueBits)
	binary.LittleEndian.PutUint32(b, upper|value)
	v.dirty[int64(cluster)*4/sector] = true
}

// flush writes changed sectors of the table, every copy, and waits for the disk.
// A cut leaves some of them old: that concerns only clusters that no name
// reaches yet, or no longer.
func (v *Volume) flush() error {
	var list []int64
	for s := range v.dirty {
		list = append(list, s)
	}
	slices.Sort(list)
	for copyOf := range v.fats {
		for _, s := range list {
			at := (v.firstFAT + copyOf*v.fatSectors + s) * sector
			if _, err := v.disk.WriteAt(v.table[s*sector:(s+1)*sector], at); err != nil {
				return fmt.Errorf("write table: %w", err)
			}
		}
	}
	if len(list) > 0 {
		if _, err := v.disk.WriteAt(unknownInfo(), infoSector*sector); err != nil {
			return fmt.Errorf("write counts: %w", err)
		}
	}
	clear(v.dirty)
	return sync(v.disk)
}

// chain lists the clusters from first on, at most limit. ok is false if the
// chain runs into a cluster that cannot belong to it, or is longer.
func (v *Volume) chain(first uint32, limit int) (list []uint32, ok bool) {
	for c := first; c < lastChain; c = v.value(c) {
		if !v.valid(c) || len(list) == limit {
			return list, false
		}
		list = append(list, c)
	}
	return list, true
}

// link makes a chain of the clusters.
func (v *Volume) link(list []uint32) {
	for i, c := range list {
		next := uint32(endOfChain)
		if i+1 < len(list) {
			next = list[i+1]
		}
		v.set(c, next)
	}
}

// find chooses n clusters that are free in the table and that nothing reaches:
// the first run that is long enough, or else whatever there is.
func (v *Volume) find(n int, used []bool) ([]uint32, error) {
	var free []uint32
	run := 0
	for c := uint32(2); v.valid(c); c++ {
		if v.value(c) != 0 || used[c] {
			run = 0
			continue
		}
		free = append(free, c)
		if run++; run == n {
			return free[len(free)-n:], nil
		}
	}
	if len(free) < n {
		return nil, fmt.Errorf("%w: %d bytes wanted, %d free", ErrFull, int64(n)*v.clusterBytes(), int64(len(free))*v.clusterBytes())
	}
	return free[:n], nil
}
