package fat

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	infoSector   = 1 // counts of free clusters; we leave them unknown
	backupSector = 6 // copy of the boot sector
)

// Formatting is what a new volume is told.
type Formatting struct {
	Label  string // at most 11 bytes, capitals
	Serial uint32
	Hidden int64 // sectors of the disk before the partition
}

// Format makes an empty volume of size bytes. What the disk held is gone.
func Format(d Disk, size int64, f Formatting) error {
	g, err := plan(size)
	if err != nil {
		return err
	}
	boot := g.bootSector(size/sector, f.Hidden, f.Label, f.Serial)
	head := make([]byte, reserved*sector)
	for _, at := range []int{0, backupSector} {
		copy(head[at*sector:], boot)
		copy(head[(at+infoSector)*sector:], unknownInfo())
	}
	root := make([]byte, g.clusterBytes())
	copy(root, padded(f.Label))
	root[11] = attrLabel
	if err := zero(d, reserved*sector, g.fats*g.fatSectors*sector); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	table := make([]byte, sector)
	for i, v := range []uint32{0x0ffffff8, 0x0fffffff, endOfChain} {
		binary.LittleEndian.PutUint32(table[4*i:], v)
	}
	for _, w := range []struct {
		b  []byte
		at int64
	}{
		{root, g.offset(g.root)}, {table, g.firstFAT * sector},
		{table, (g.firstFAT + g.fatSectors) * sector}, {head, 0},
	} {
		if _, err := d.WriteAt(w.b, w.at); err != nil {
			return fmt.Errorf("format: %w", err)
		}
	}
	return sync(d)
}

// unknownInfo is a sector of counts that nobody may rely on.
func unknownInfo() []byte {
	b := make([]byte, sector)
	copy(b, "RRaA")
	copy(b[484:], "rrAa\xff\xff\xff\xff\xff\xff\xff\xff")
	b[510], b[511] = 0x55, 0xaa
	return b
}

// zeros is what zero writes, again and again.
var zeros = make([]byte, 64<<10)

func zero(w io.WriterAt, at, n int64) error {
	for n > 0 {
		step := min(n, int64(len(zeros)))
		if _, err := w.WriteAt(zeros[:step], at); err != nil {
			return err
		}
		at, n = at+step, n-step
	}
	return nil
}

func sync(d Disk) error {
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}
