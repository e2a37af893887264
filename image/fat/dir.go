package fat

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Entry is a file or directory of a volume.
type Entry struct {
	Name  string
	Size  int64 // bytes; 0 for a directory
	Dir   bool
	first uint32 // cluster; 0 for an empty file
	from  int    // its records in the directory, the own one last: [from, to)
	to    int
	own   [record]byte
}

// dir is one directory in memory. raw ends with zeros from the first unused
// record on, whatever the disk has there.
type dir struct {
	v        *Volume
	clusters []uint32
	raw      []byte
	end      int  // index of the first unused record
	tail     bool // the disk has something behind it
	entries  []Entry
}

// readDir reads the directory that begins at the cluster.
func (v *Volume) readDir(first uint32) (*dir, error) {
	list, ok := v.chain(first, maxDir/int(v.clusterBytes())+1)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%w: directory at cluster %d", ErrDamaged, first)
	}
	d := &dir{v: v, clusters: list, raw: make([]byte, int64(len(list))*v.clusterBytes())}
	for i, c := range list {
		part := d.raw[int64(i)*v.clusterBytes():][:v.clusterBytes()]
		if _, err := v.disk.ReadAt(part, v.offset(c)); err != nil {
			return nil, fmt.Errorf("read directory: %w", err)
		}
	}
	d.parse()
	return d, nil
}

func (d *dir) record(i int) []byte { return d.raw[i*record:][:record] }

func (d *dir) parse() {
	var name []uint16 // what the pieces read so far say
	next, sum, from := 0, byte(0), 0
	for d.end = 0; d.end < len(d.raw)/record && d.record(d.end)[0] != unused; d.end++ {
		b := d.record(d.end)
		switch {
		case b[0] == deleted:
			next = 0
		case b[11]&attrMask == attrPiece:
			order := int(b[0] &^ lastPiece)
			if b[0]&lastPiece != 0 {
				name, next, sum, from = nil, order, b[13], d.end
			}
			if order == 0 || order != next || b[13] != sum {
				next = 0
				continue
			}
			if name, next = append(pieceText(b), name...), order-1; next == 0 {
				next = -1 // complete
			}
		default:
			e := d.entry(d.end)
			if next == -1 && sum == checksum(b) {
				e.Name, e.from = string(utf16.Decode(name)), from
			}
			if next = 0; b[11]&attrLabel == 0 {
				d.entries = append(d.entries, e)
			}
		}
	}
	rest := d.raw[d.end*record:]
	d.tail = strings.Trim(string(rest), "\x00") != ""
	clear(rest)
}

// entry reads the own record of a file.
func (d *dir) entry(i int) Entry {
	b := d.record(i)
	le := binary.LittleEndian
	return Entry{
		Name: shortText(b), Size: int64(le.Uint32(b[28:])), Dir: b[11]&attrDir != 0,
		first: uint32(le.Uint16(b[20:]))<<16 | uint32(le.Uint16(b[26:])),
		from:  i, to: i + 1, own: [record]byte(b),
	}
}

// lookup finds a name; capitals and small letters are the same.
func (d *dir) lookup(name string) (Entry, bool) {
	for _, e := range d.entries {
		if strings.EqualFold(e.Name, name) {
			return e, true
		}
	}
	return Entry{}, false
}

// taken are the 8.3 names in use.
func (d *dir) taken() map[[11]byte]bool {
	t := map[[11]byte]bool{}
	for _, e := range d.entries {
		t[[11]byte(e.own[:11])] = true
	}
	return t
}

// room finds n free records in a row within one sector, so that one write makes
// them appear.
func (d *dir) room(n int) (at int, ok bool) {
	for s := 0; s < len(d.raw)/record; s += perSector {
		run := 0
		for i := s; i < s+perSector; i++ {
			if b := d.record(i)[0]; b == deleted || b == unused {
				run++
			} else {
				run = 0
			}
			if run == n {
				return i - n + 1, true
			}
		}
	}
	return 0, false
}

// write puts the sector of a record on the disk and waits for it.
func (d *dir) write(i int) error {
	s := int64(i / perSector)
	at := d.v.offset(d.clusters[s/d.v.perCluster]) + s%d.v.perCluster*sector
	if _, err := d.v.disk.WriteAt(d.raw[s*sector:(s+1)*sector], at); err != nil {
		return fmt.Errorf("write directory: %w", err)
	}
	return sync(d.v.disk)
}

// add makes the records appear, all at once.
func (d *dir) add(b []byte) error {
	n := len(b) / record
	at, ok := d.room(n)
	if !ok {
		if err := d.grow(); err != nil {
			return err
		}
		if at, ok = d.room(n); !ok {
			return fmt.Errorf("%w: directory", ErrFull)
		}
	}
	if err := d.clearTail(at + n); err != nil {
		return err
	}
	copy(d.raw[at*record:], b)
	// Unused records before ours would hide it: they become deleted ones. Those
	// of the same sector are written with it, others after it.
	before := d.end
	for i := before; i < at; i++ {
		d.record(i)[0] = deleted
	}
	if err := d.write(at); err != nil {
		return err
	}
	for s := (at/perSector - 1) * perSector; s >= 0 && s+perSector > before; s -= perSector {
		if err := d.write(s); err != nil {
			return err
		}
	}
	d.end = max(d.end, at+n)
	return nil
}

// clearTail sees to it that the directory still ends when records up to to are in use.
func (d *dir) clearTail(to int) error {
	if !d.tail || to <= d.end {
		return nil
	}
	for i := (d.end/perSector + 1) * perSector; i < len(d.raw)/record; i += perSector {
		if err := d.write(i); err != nil {
			return err
		}
	}
	d.tail = false
	return nil
}

// grow gives the directory one more cluster, empty before it is linked.
func (d *dir) grow() error {
	if len(d.raw) >= maxDir {
		return fmt.Errorf("%w: directory", ErrFull)
	}
	used, err := d.v.reachable()
	if err != nil {
		return err
	}
	list, err := d.v.find(1, used)
	if err != nil {
		return err
	}
	if err := zero(d.v.disk, d.v.offset(list[0]), d.v.clusterBytes()); err != nil {
		return fmt.Errorf("grow directory: %w", err)
	}
	if err := sync(d.v.disk); err != nil {
		return err
	}
	d.v.set(list[0], endOfChain)
	if err := d.v.flush(); err != nil {
		return err
	}
	d.v.set(d.clusters[len(d.clusters)-1], list[0])
	d.clusters = append(d.clusters, list[0])
	d.raw = append(d.raw, make([]byte, d.v.clusterBytes())...)
	return d.v.flush()
}

// erase takes the records of an entry away, the own one first.
func (d *dir) erase(e Entry) error {
	last := e.to - 1
	for i := e.from; i < e.to; i++ {
		d.record(i)[0] = deleted
	}
	for i := last; ; i = i/perSector*perSector - 1 {
		if err := d.write(i); err != nil {
			return err
		}
		if i/perSector == e.from/perSector {
			return nil
		}
	}
}
