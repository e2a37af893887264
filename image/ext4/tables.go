package ext4

import "encoding/binary"

// putInode writes an inode whose data lies in one piece.
func (b *builder) putInode(number uint32, mode, links uint16, size, first uint32) {
	if number > inodes {
		b.fail(ErrSize)
		return
	}
	i := b.table[(number-1)*inodeSize:][:inodeSize]
	le.PutUint16(i, mode)
	le.PutUint32(i[4:], size)
	for _, at := range []int{8, 12, 16} { // read, changed, written
		le.PutUint32(i[at:], b.c.Time)
	}
	le.PutUint16(i[26:], links)
	n := blocksOf(int(size))
	le.PutUint32(i[28:], n*(block/512))
	le.PutUint32(i[32:], 0x80000) // has extents
	e := i[40:100]
	le.PutUint16(e, 0xf30a)
	le.PutUint16(e[4:], 4)
	if n > 0 {
		le.PutUint16(e[2:], 1)
		le.PutUint16(e[16:], uint16(n))
		le.PutUint32(e[20:], first)
	}
	le.PutUint16(i[128:], 32) // the longer form of an inode
	le.PutUint32(i[144:], b.c.Time)
}

// journal makes an empty one. Its blocks are zeros: what an older journal left
// there could be taken for this one's.
func (b *builder) journal() error {
	first := b.take(journalSize)
	if b.err != nil {
		return b.err
	}
	s := make([]byte, journalSize*block)
	be := binary.BigEndian
	for i, v := range []uint32{0xc03b3998, 4, 0, block, journalSize, 1, 1, 0} {
		be.PutUint32(s[4*i:], v)
	}
	copy(s[48:], b.c.UUID[:])
	be.PutUint32(s[64:], 1) // users
	b.write(s, first)
	b.putInode(journalInode, modeFile|0o600, 1, journalSize*block, first)
	i := b.table[(journalInode-1)*inodeSize:]
	for k := range 15 {
		b.backup[k] = le.Uint32(i[40+4*k:])
	}
	b.backup[16] = journalSize * block
	return b.err
}

// finish writes what describes all that was stored; the first superblock comes
// last, so that a cut before leaves no file system rather than half of one.
func (b *builder) finish() error {
	b.groups[0].usedInodes = b.inode - 1
	for n := range b.groups {
		b.writeGroup(n)
	}
	for n := len(b.groups) - 1; n >= 0 && b.err == nil; n-- {
		if !hasSuper(n) {
			continue
		}
		head := make([]byte, 2*block)
		at := 0
		if n == 0 {
			at = superblockAt
		}
		copy(head[at:], b.superblock(n))
		copy(head[block:], b.descriptors())
		b.write(head, b.groups[n].first)
	}
	return b.err
}

// writeGroup writes bitmaps and inode table.
func (b *builder) writeGroup(n int) {
	g := &b.groups[n]
	maps := make([]byte, 2*block)
	mark(maps[:block], 0, g.used)
	mark(maps[:block], g.count, perGroup)
	mark(maps[block:], 0, g.usedInodes)
	mark(maps[block:], inodes, perGroup)
	b.write(maps, g.bitmaps())
	table := b.table
	if n > 0 {
		table = make([]byte, len(b.table))
	}
	b.write(table, g.table())
}

func mark(bits []byte, from, to uint32) {
	for i := from; i < to; i++ {
		bits[i/8] |= 1 << (i % 8)
	}
}

func (b *builder) descriptors() []byte {
	out := make([]byte, block)
	for n, g := range b.groups {
		d := out[n*descriptorSize:]
		le.PutUint32(d, g.bitmaps())
		le.PutUint32(d[4:], g.bitmaps()+1)
		le.PutUint32(d[8:], g.table())
		le.PutUint16(d[12:], uint16(g.count-g.used))
		le.PutUint16(d[14:], uint16(inodes-g.usedInodes))
		le.PutUint16(d[16:], uint16(g.dirs))
	}
	return out
}

// Features of the file system.
const (
	compat   = 0x4        // journal
	incompat = 0x2 | 0x40 // types in directories, extents
	roCompat = 0x1 | 0x2  // fewer copies of the superblock, large files
)

func (b *builder) superblock(n int) []byte {
	s := make([]byte, 1024)
	last := b.groups[len(b.groups)-1]
	blocks, freeBlocks, freeInodes := last.first+last.count, uint32(0), uint32(0)
	for _, g := range b.groups {
		freeBlocks += g.count - g.used
		freeInodes += inodes - g.usedInodes
	}
	for _, f := range []struct{ at, v uint32 }{
		{0, uint32(len(b.groups)) * inodes}, {4, blocks}, {8, 0}, {12, freeBlocks}, {16, freeInodes}, {20, 0},
		{24, 2}, {28, 2}, {32, perGroup}, {36, perGroup}, {40, inodes}, {48, b.c.Time}, {64, b.c.Time},
		{76, 1}, {84, firstFree}, {92, compat}, {96, incompat}, {100, roCompat}, {0xe0, journalInode},
		{0x108, b.c.Time}, {0x160, 1},
	} {
		le.PutUint32(s[f.at:], f.v)
	}
	for _, f := range []struct {
		at int
		v  uint16
	}{
		{54, 0xffff}, {56, 0xef53}, {58, 1}, // never checked for its age; clean
		{60, 2}, // an error makes it read-only
		{88, inodeSize}, {90, uint16(n)}, {0x15c, 32}, {0x15e, 32},
	} {
		le.PutUint16(s[f.at:], f.v)
	}
	copy(s[104:], b.c.UUID[:])
	copy(s[120:136], b.c.Label)
	s[0xfd] = 1 // a copy of the journal's inode follows
	for k, v := range b.backup {
		le.PutUint32(s[0x10c+4*k:], v)
	}
	return s
}
