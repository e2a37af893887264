package fat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Why an operation failed.
var (
	ErrDamaged  = errors.New("the volume is damaged")
	ErrFull     = errors.New("no room on the volume")
	ErrNotFound = errors.New("no such file")
	ErrExists   = errors.New("the name is taken")
)

const (
	maxDir  = 1 << 20 // bytes of a directory
	maxName = 100     // characters of a name; longer ones would not fit into a sector
	maxFile = 1<<32 - 1
)

// walk finds the directory of a path and the last part of it.
func (v *Volume) walk(name string) (*dir, string, error) {
	parts := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	d, err := v.readDir(v.root)
	for _, p := range parts[:len(parts)-1] {
		if err != nil {
			return nil, "", err
		}
		e, ok := d.lookup(p)
		if !ok || !e.Dir {
			return nil, "", fmt.Errorf("%w: directory %s of %s", ErrNotFound, p, name)
		}
		d, err = v.readDir(e.first)
	}
	return d, parts[len(parts)-1], err
}

// find is one entry and its directory.
func (v *Volume) lookup(name string) (*dir, Entry, error) {
	d, last, err := v.walk(name)
	if err != nil {
		return nil, Entry{}, err
	}
	e, ok := d.lookup(last)
	if !ok {
		return nil, Entry{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return d, e, nil
}

// List lists a directory, in the order of the disk.
func (v *Volume) List(name string) ([]Entry, error) {
	d, _, err := v.walk(path.Join(name, "x"))
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, e := range d.entries {
		if e.Name != "." && e.Name != ".." {
			list = append(list, e)
		}
	}
	return list, nil
}

// Mkdir makes a directory.
func (v *Volume) Mkdir(name string) error {
	parent, last, err := v.walk(name)
	if err != nil {
		return err
	}
	body := make([]byte, v.clusterBytes())
	list, err := v.store(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return fmt.Errorf("make directory %s: %w", name, err)
	}
	up := parent.clusters[0]
	if up == v.root {
		up = 0
	}
	for i, self := range []uint32{list[0], up} {
		own := ownRecord(attrDir, self, 0)
		copy(own[:11], padded([]string{".", ".."}[i]))
		copy(body[i*record:], own[:])
	}
	if _, err := v.disk.WriteAt(body, v.offset(list[0])); err != nil {
		return fmt.Errorf("make directory %s: %w", name, err)
	}
	return v.publish(parent, last, list, ownRecord(attrDir, list[0], 0))
}

// Create adds a file of size bytes, which r must have. The file is there when
// Create returns without an error, and not at all otherwise. Names are not
// replaced.
func (v *Volume) Create(name string, size int64, r io.Reader) error {
	d, last, err := v.walk(name)
	if err != nil {
		return err
	}
	if _, ok := d.lookup(last); ok {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	if len(last) > maxName || size < 0 || size > maxFile {
		return fmt.Errorf("create %s: name or size is out of bounds", name)
	}
	list, err := v.store(r, size)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	first := uint32(0)
	if len(list) > 0 {
		first = list[0]
	}
	return v.publish(d, last, list, ownRecord(attrArchive, first, size))
}

// publish writes the table, then the name.
func (v *Volume) publish(d *dir, name string, list []uint32, own [record]byte) error {
	v.link(list)
	err := v.flush()
	if err == nil {
		err = d.add(records(name, d.taken(), own))
	}
	if err != nil {
		return fmt.Errorf("name %s: %w", name, err)
	}
	return nil
}

func ownRecord(attr byte, first uint32, size int64) (b [record]byte) {
	le := binary.LittleEndian
	b[11] = attr
	le.PutUint16(b[16:], date1980)
	le.PutUint16(b[18:], date1980)
	le.PutUint16(b[20:], uint16(first>>16))
	le.PutUint16(b[24:], date1980)
	le.PutUint16(b[26:], uint16(first))
	le.PutUint32(b[28:], uint32(size))
	return b
}

// store writes data into free clusters and waits for the disk. Nothing refers
// to them yet.
func (v *Volume) store(r io.Reader, size int64) ([]uint32, error) {
	used, err := v.reachable()
	if err != nil {
		return nil, err
	}
	n := (size + v.clusterBytes() - 1) / v.clusterBytes()
	if n > int64(v.clusters) {
		return nil, fmt.Errorf("%w: %d bytes wanted", ErrFull, size)
	}
	if n == 0 {
		return nil, nil
	}
	list, err := v.find(int(n), used)
	if err != nil {
		return nil, err
	}
	for left, buf := size, make([]byte, maxRun); left > 0; {
		run := v.run(list[(size-left)/v.clusterBytes():])
		b := buf[:run]
		got := min(left, run)
		if _, err := io.ReadFull(r, b[:got]); err != nil {
			return nil, fmt.Errorf("read data: %w", err)
		}
		clear(b[got:])
		if _, err := v.disk.WriteAt(b, v.offset(list[(size-left)/v.clusterBytes()])); err != nil {
			return nil, fmt.Errorf("write data: %w", err)
		}
		left -= got
	}
	// The stream may have more to say at its end: whether its hash was right.
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		return nil, errors.New("read data: more than announced")
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read data: %w", err)
	}
	return list, sync(v.disk)
}

// maxRun bounds one transfer; it is a multiple of every cluster size.
const maxRun = 256 << 10

// run is the number of bytes at the head of the list that lie side by side.
func (v *Volume) run(list []uint32) int64 {
	n := int64(1)
	for n < int64(len(list)) && list[n] == list[n-1]+1 && (n+1)*v.clusterBytes() <= maxRun {
		n++
	}
	return n * v.clusterBytes()
}

// Open reads a file. The reader belongs to the caller and needs no closing.
func (v *Volume) Open(name string) (io.Reader, error) {
	_, e, err := v.lookup(name)
	if err != nil {
		return nil, err
	}
	n := (e.Size + v.clusterBytes() - 1) / v.clusterBytes()
	list, _ := v.chain(e.first, int(n))
	if e.Dir || int64(len(list)) < n {
		return nil, fmt.Errorf("%w: %s is shorter than its size", ErrDamaged, name)
	}
	var parts []io.Reader
	for len(list) > 0 {
		run := v.run(list)
		parts = append(parts, io.NewSectionReader(v.disk, v.offset(list[0]), run))
		list = list[run/v.clusterBytes():]
	}
	return io.LimitReader(io.MultiReader(parts...), e.Size), nil
}

// Rename gives a file another name in its directory. Where the records of the
// old name lie in one sector and suffice for the new one, that is one write.
// Otherwise a cut may leave both names for one file.
func (v *Volume) Rename(name, to string) error {
	d, e, err := v.lookup(name)
	if err != nil {
		return err
	}
	if _, ok := d.lookup(to); ok {
		return fmt.Errorf("%w: %s", ErrExists, to)
	}
	if len(to) > maxName {
		return fmt.Errorf("rename %s: the new name is too long", name)
	}
	taken := d.taken()
	delete(taken, [11]byte(e.own[:11]))
	b := records(to, taken, e.own)
	if n := len(b) / record; n <= e.to-e.from && e.from/perSector == (e.to-1)/perSector {
		for i := e.from; i < e.to-n; i++ {
			d.record(i)[0] = deleted
		}
		copy(d.raw[(e.to-n)*record:], b)
		return d.write(e.from)
	}
	if err := d.add(records(to, d.taken(), e.own)); err != nil {
		return fmt.Errorf("rename %s: %w", name, err)
	}
	return d.erase(e)
}

// Remove takes a file away; its clusters are free when no other name has them.
func (v *Volume) Remove(name string) error {
	d, e, err := v.lookup(name)
	if err != nil {
		return err
	}
	if e.Dir {
		return fmt.Errorf("remove %s: it is a directory", name)
	}
	if err := d.erase(e); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	_, err = v.Reclaim()
	return err
}

// Reclaim frees clusters that no name reaches, as a cut may leave them, and
// returns how many there were.
func (v *Volume) Reclaim() (int, error) {
	used, err := v.reachable()
	if err != nil {
		return 0, err
	}
	n := 0
	for c := uint32(2); v.valid(c); c++ {
		if x := v.value(c); x != 0 && x != badCluster && !used[c] {
			v.set(c, 0)
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	return n, v.flush()
}

// reachable marks every cluster that a name leads to. A file whose chain is
// broken counts as far as it goes; a directory that cannot be read is an error,
// because it could hide files.
func (v *Volume) reachable() ([]bool, error) {
	used := make([]bool, v.clusters+2)
	mark := func(first uint32) {
		for c := first; v.valid(c) && !used[c]; c = v.value(c) {
			used[c] = true
		}
	}
	for todo := []uint32{v.root}; len(todo) > 0; todo = todo[1:] {
		mark(todo[0])
		d, err := v.readDir(todo[0])
		if err != nil {
			return nil, err
		}
		for _, e := range d.entries {
			switch {
			case e.Name == "." || e.Name == "..":
			case !e.Dir:
				mark(e.first)
			case !v.valid(e.first) || used[e.first]:
				return nil, fmt.Errorf("%w: directory %s", ErrDamaged, e.Name)
			default:
				todo = append(todo, e.first)
			}
		}
	}
	return used, nil
}
