package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// sector is the only sector size we take; one is written by the disk as a whole
// or not at all.
const sector = 512

// Disk is the partition. Writes are whole sectors; Sync returns when everything
// written before it is on the medium.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// ErrNoVolume: the partition holds no FAT32 that we can use.
var ErrNoVolume = errors.New("no FAT32 volume")

// Limits of FAT32: with fewer clusters it would be FAT16 for every reader.
const (
	minClusters = 65525
	maxClusters = 1 << 22 // ours: 16 MiB of table in memory
	reserved    = 32      // sectors before the first table
)

// geometry is where things lie; all numbers are sectors or clusters.
type geometry struct {
	perCluster int64 // sectors of a cluster
	firstFAT   int64
	fats       int64
	fatSectors int64
	root       uint32 // first cluster of the root directory
	clusters   uint32 // data clusters; they are numbered from 2
}

func (g *geometry) clusterBytes() int64 { return g.perCluster * sector }

// offset is the byte where a cluster begins.
func (g *geometry) offset(cluster uint32) int64 {
	return (g.firstFAT + g.fats*g.fatSectors + int64(cluster-2)*g.perCluster) * sector
}

// valid tells whether the number is a data cluster's.
func (g *geometry) valid(cluster uint32) bool { return cluster >= 2 && cluster-2 < g.clusters }

// plan chooses the largest clusters with which size bytes are still FAT32.
func plan(size int64) (g geometry, err error) {
	total := size / sector
	g = geometry{firstFAT: reserved, fats: 2, root: 2}
	for g.perCluster = 64; g.perCluster >= 1; g.perCluster /= 2 {
		n := (total - reserved) / g.perCluster
		g.fatSectors = (n + 2 + sector/4 - 1) / (sector / 4)
		n = (total - reserved - 2*g.fatSectors) / g.perCluster
		if n >= minClusters+16 && n <= maxClusters {
			g.clusters = uint32(n)
			return g, nil
		}
	}
	return g, fmt.Errorf("plan FAT32 of %d bytes: too small or too large", size)
}

// bootSector writes the geometry down.
func (g *geometry) bootSector(total, hidden int64, label string, serial uint32) []byte {
	b := make([]byte, sector)
	copy(b, "\xeb\x58\x90WAYMARK ")
	le := binary.LittleEndian
	le.PutUint16(b[11:], sector)
	b[13] = byte(g.perCluster)
	le.PutUint16(b[14:], uint16(g.firstFAT))
	b[16] = byte(g.fats)
	b[21] = 0xf8              // a fixed disk
	le.PutUint16(b[24:], 63)  // sectors of a track, for who still asks
	le.PutUint16(b[26:], 255) // heads
	le.PutUint32(b[28:], uint32(hidden))
	le.PutUint32(b[32:], uint32(total))
	le.PutUint32(b[36:], uint32(g.fatSectors))
	le.PutUint32(b[44:], g.root)
	le.PutUint16(b[48:], infoSector)
	le.PutUint16(b[50:], backupSector)
	b[64], b[66] = 0x80, 0x29
	le.PutUint32(b[67:], serial)
	copy(b[71:82], padded(label))
	copy(b[82:], "FAT32   ")
	copy(b[90:], "\xf4\xeb\xfd") // hlt, and again
	b[510], b[511] = 0x55, 0xaa
	return b
}

func padded(label string) string { return fmt.Sprintf("%-11.11s", label) }

// parseBoot reads the geometry of a partition of size bytes, 0 for unknown.
func parseBoot(b []byte) (g geometry, err error) {
	le := binary.LittleEndian
	total := int64(le.Uint32(b[32:]))
	g = geometry{
		perCluster: int64(b[13]), firstFAT: int64(le.Uint16(b[14:])), fats: int64(b[16]),
		fatSectors: int64(le.Uint32(b[36:])), root: le.Uint32(b[44:]),
	}
	switch {
	case b[510] != 0x55 || b[511] != 0xaa:
		return g, fmt.Errorf("%w: no boot sector", ErrNoVolume)
	case le.Uint16(b[11:]) != sector:
		return g, fmt.Errorf("%w: sectors of %d bytes", ErrNoVolume, le.Uint16(b[11:]))
	case g.perCluster == 0 || g.perCluster&(g.perCluster-1) != 0:
		return g, fmt.Errorf("%w: %d sectors in a cluster", ErrNoVolume, g.perCluster)
	case le.Uint16(b[17:]) != 0 || le.Uint16(b[22:]) != 0 || le.Uint16(b[42:]) != 0:
		return g, fmt.Errorf("%w: another kind of FAT", ErrNoVolume)
	case g.fats < 1 || g.fats > 2 || g.firstFAT < 2 || g.fatSectors == 0:
		return g, fmt.Errorf("%w: %d tables of %d sectors at %d", ErrNoVolume, g.fats, g.fatSectors, g.firstFAT)
	}
	n := (total - g.firstFAT - g.fats*g.fatSectors) / g.perCluster
	if n < minClusters || n > maxClusters || (n+2)*4 > g.fatSectors*sector {
		return g, fmt.Errorf("%w: %d clusters", ErrNoVolume, n)
	}
	if g.clusters = uint32(n); !g.valid(g.root) {
		return g, fmt.Errorf("%w: root directory at cluster %d", ErrNoVolume, g.root)
	}
	return g, nil
}
