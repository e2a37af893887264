package ext4

import (
	"errors"
	"fmt"
)

const (
	block        = 4096
	perGroup     = 8 * block // blocks of a group: one block of bitmap
	inodeSize    = 256
	inodes       = 2048 // of a group
	tableBlocks  = inodes * inodeSize / block
	maxGroups    = block / descriptorSize
	journalSize  = 1024 // blocks, the kernel's minimum
	firstFree    = 11   // first inode that is not reserved: lost+found
	rootInode    = 2
	journalInode = 8

	descriptorSize = 32
	superblockAt   = 1024 // bytes, in the first block
)

// ErrSize: the partition is too small or too large.
var ErrSize = errors.New("size is out of bounds")

// group is one group of blocks while the file system is planned.
type group struct {
	first, count uint32 // blocks
	meta         uint32 // blocks at its begin: superblock, descriptors, bitmaps, inode table
	used         uint32 // blocks in use, from the begin: everything is laid out in a row
	usedInodes   uint32 // from the first on
	dirs         uint32
}

// hasSuper tells whether a group has a copy of the superblock: 0, 1 and the
// powers of 3, 5 and 7.
func hasSuper(n int) bool {
	if n <= 1 {
		return true
	}
	for _, base := range []int{3, 5, 7} {
		p := base
		for p < n {
			p *= base
		}
		if p == n {
			return true
		}
	}
	return false
}

// layout divides size bytes into groups.
func layout(size int64) ([]group, error) {
	blocks := size / block
	if blocks < 2*journalSize || blocks > maxGroups*perGroup {
		return nil, fmt.Errorf("lay out ext4 on %d bytes: %w", size, ErrSize)
	}
	var list []group
	for n := 0; blocks > 0; n++ {
		g := group{first: uint32(n * perGroup), count: uint32(min(blocks, perGroup)), meta: 2 + tableBlocks}
		if hasSuper(n) {
			g.meta += 2
		}
		if g.used = g.meta; g.count < g.meta+64 {
			break // too small to be worth its tables; the file system ends before
		}
		list = append(list, g)
		blocks -= int64(g.count)
	}
	return list, nil
}

// bitmaps are the first two blocks behind superblock and descriptors.
func (g *group) bitmaps() uint32 { return g.first + g.meta - tableBlocks - 2 }

// table is where the group's inodes are.
func (g *group) table() uint32 { return g.first + g.meta - tableBlocks }
