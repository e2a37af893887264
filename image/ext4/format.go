package ext4

import (
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"
)

var le = binary.LittleEndian

// Config is what a new file system is told.
type Config struct {
	UUID  [16]byte
	Label string // at most 16 bytes
	Time  uint32 // seconds since 1970, of everything in it
}

// File is a file that the new file system holds. Directories come by themselves.
type File struct {
	Path string // relative, with slashes
	Mode uint16 // permissions
	Data []byte
}

// Format makes a file system of size bytes with the files in it. What lay there
// is gone.
func Format(w io.WriterAt, size int64, c Config, files ...File) error {
	groups, err := layout(size)
	if err != nil {
		return err
	}
	b := &builder{w: w, c: c, groups: groups, inode: firstFree}
	root := b.tree(files)
	if err := b.journal(); err != nil {
		return err
	}
	b.place(root, root)
	if err := b.store(root); err != nil {
		return err
	}
	return b.finish()
}

// node is a file or directory to be.
type node struct {
	name     string
	mode     uint16 // type and permissions
	data     []byte
	children []*node // of a directory, by name
	inode    uint32
	first    uint32 // block
	parent   *node
}

const (
	modeDir  = 0o040000
	modeFile = 0o100000
)

func (n *node) dir() bool { return n.mode&0o170000 == modeDir }

// builder lays everything out in the first group, in a row.
type builder struct {
	w      io.WriterAt
	c      Config
	groups []group
	inode  uint32 // next free one
	table  []byte // inodes of the first group
	backup [17]uint32
	err    error
}

// tree makes nodes of the files, lost+found first.
func (b *builder) tree(files []File) *node {
	b.table = make([]byte, tableBlocks*block)
	root := &node{mode: modeDir | 0o755, inode: rootInode}
	root.child("lost+found", modeDir|0o700)
	sorted := slices.Clone(files)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Path < sorted[j].Path })
	for _, f := range sorted {
		at := root
		parts := strings.Split(strings.Trim(path.Clean("/"+f.Path), "/"), "/")
		for _, p := range parts[:len(parts)-1] {
			at = at.child(p, modeDir|0o700)
		}
		at.child(parts[len(parts)-1], modeFile|f.Mode).data = f.Data
	}
	return root
}

// child finds or makes a child.
func (n *node) child(name string, mode uint16) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	c := &node{name: name, mode: mode, parent: n}
	n.children = append(n.children, c)
	return c
}

// take reserves blocks of the first group.
func (b *builder) take(n uint32) uint32 {
	g := &b.groups[0]
	if g.used+n > g.count {
		b.fail(fmt.Errorf("%w: no room for the files", ErrSize))
		return 0
	}
	g.used += n
	return g.first + g.used - n
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = fmt.Errorf("make ext4: %w", err)
	}
}

func (b *builder) write(data []byte, blk uint32) {
	if _, err := b.w.WriteAt(data, int64(blk)*block); err != nil {
		b.fail(err)
	}
}

// place gives inodes and blocks, directories before what they hold.
func (b *builder) place(n, root *node) {
	if n != root {
		n.inode = b.inode
		b.inode++
	}
	if n.dir() {
		n.first = b.take(1)
		b.groups[0].dirs++
	} else if len(n.data) > 0 {
		n.first = b.take(blocksOf(len(n.data)))
	}
	for _, c := range n.children {
		b.place(c, root)
	}
}

func blocksOf(n int) uint32 { return uint32((n + block - 1) / block) }

// store writes the blocks of a node and of all below it.
func (b *builder) store(n *node) error {
	size, data, links := len(n.data), n.data, uint16(1)
	if n.dir() {
		data, links = b.entries(n), 2
		size = block
		for _, c := range n.children {
			if c.dir() {
				links++
			}
		}
	}
	if b.err == nil && size > 0 {
		b.write(append(slices.Clone(data), make([]byte, int(blocksOf(size))*block-len(data))...), n.first)
	}
	b.putInode(n.inode, n.mode, links, uint32(size), n.first)
	for _, c := range n.children {
		if err := b.store(c); err != nil {
			return err
		}
	}
	return b.err
}

// entries makes the one block of a directory.
func (b *builder) entries(n *node) []byte {
	up := n
	if n.parent != nil {
		up = n.parent
	}
	var out []byte
	last := 0
	add := func(name string, of *node) {
		last = len(out)
		e := make([]byte, (8+len(name)+3)/4*4)
		le.PutUint32(e, of.inode)
		le.PutUint16(e[4:], uint16(len(e)))
		e[6], e[7] = byte(len(name)), 1
		if of.dir() {
			e[7] = 2
		}
		copy(e[8:], name)
		out = append(out, e...)
	}
	add(".", n)
	add("..", up)
	for _, c := range n.children {
		if len(c.name) > 255 || len(out)+8+len(c.name)+4 > block {
			b.fail(fmt.Errorf("%w: directory %s has too many names, or too long ones", ErrSize, n.name))
			return out
		}
		add(c.name, c)
	}
	le.PutUint16(out[last+4:], uint16(block-last)) // the last one owns the rest
	return out
}
