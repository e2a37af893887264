// Package gpt writes and reads GUID partition tables (UEFI 2.10, chapter 5).
package gpt

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// Sector is the only sector size we take, in bytes.
const Sector = 512

const (
	entrySize  = 128
	entryCount = 128
	tableSize  = entrySize * entryCount / Sector // sectors
	headerSize = 92
	firstUsed  = 2 + tableSize
)

// ErrNoTable: the disk has no valid partition table, neither at its begin nor at its end.
var ErrNoTable = errors.New("no GUID partition table")

// GUID is stored with its first three parts little-endian.
type GUID [16]byte

// Types of partitions.
var (
	ESP   = MustParse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b") // EFI system partition
	Linux = MustParse("0fc63daf-8483-4772-8e79-3d69d8477de4") // a Linux file system
)

// mixed is the order of a GUID's bytes on disk, as indices of its text.
var mixed = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

// Parse reads the usual text form, in capitals or small letters.
func Parse(text string) (g GUID, err error) {
	parts := strings.Split(strings.TrimSpace(text), "-")
	raw, err := hex.DecodeString(strings.Join(parts, ""))
	if err != nil || len(raw) != 16 || len(parts) != 5 || len(parts[0]) != 8 || len(parts[1]) != 4 || len(parts[2]) != 4 || len(parts[3]) != 4 {
		return g, fmt.Errorf("parse GUID %.50q: wrong form", text)
	}
	for i, k := range mixed {
		g[i] = raw[k]
	}
	return g, nil
}

// MustParse is Parse for constants.
func MustParse(text string) GUID {
	g, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return g
}

// String is the text form in small letters.
func (g GUID) String() string {
	var raw [16]byte
	for i, k := range mixed {
		raw[k] = g[i]
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
}

// FromSeed makes a GUID of 16 bytes, random ones or of a hash.
func FromSeed(seed [16]byte) GUID {
	seed[7] = seed[7]&0x0f | 0x40 // version 4; byte 7 has the upper half on disk
	seed[8] = seed[8]&0x3f | 0x80
	return seed
}

// Partition is one entry of a table.
type Partition struct {
	Type, ID GUID
	First    int64 // sector
	Last     int64 // sector, included
	Name     string
}

// Offset and Size tell where the partition lies, in bytes.
func (p *Partition) Offset() int64 { return p.First * Sector }

// Size is the partition's size in bytes.
func (p *Partition) Size() int64 { return (p.Last - p.First + 1) * Sector }

// Table is a partition table.
type Table struct {
	Disk       GUID
	Partitions []Partition
}

// Usable is the range of sectors for partitions on a disk of so many sectors.
func Usable(sectors int64) (first, last int64) { return firstUsed, sectors - tableSize - 2 }

// check tells whether the partitions lie side by side within the disk.
func (t *Table) check(sectors int64) error {
	first, last := Usable(sectors)
	if len(t.Partitions) > entryCount {
		return fmt.Errorf("%d partitions", len(t.Partitions))
	}
	for i, p := range t.Partitions {
		if p.First < first || p.Last > last || p.Last < p.First {
			return fmt.Errorf("partition %s is outside of the disk: sectors %d to %d of %d", p.Name, p.First, p.Last, sectors)
		}
		if len(utf16.Encode([]rune(p.Name))) > 36 {
			return fmt.Errorf("the name %s is too long", p.Name)
		}
		for _, q := range t.Partitions[:i] {
			if p.First <= q.Last && q.First <= p.Last {
				return fmt.Errorf("partitions %s and %s overlap", q.Name, p.Name)
			}
		}
	}
	return nil
}

// Write puts the table on a disk of so many sectors: first the copy at the end,
// then the one at the begin.
func (t *Table) Write(w io.WriterAt, sectors int64) error {
	if err := t.check(sectors); err != nil {
		return fmt.Errorf("write partition table: %w", err)
	}
	entries := t.entries()
	for _, part := range []struct {
		b  []byte
		at int64 // sector
	}{
		{entries, sectors - 1 - tableSize}, {t.header(sectors, sectors-1, 1, sectors-1-tableSize, entries), sectors - 1},
		{entries, 2}, {t.header(sectors, 1, sectors-1, 2, entries), 1}, {protective(sectors), 0},
	} {
		if _, err := w.WriteAt(part.b, part.at*Sector); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
	}
	return nil
}

func (t *Table) entries() []byte {
	b := make([]byte, tableSize*Sector)
	le := binary.LittleEndian
	for i, p := range t.Partitions {
		e := b[i*entrySize:]
		copy(e, p.Type[:])
		copy(e[16:], p.ID[:])
		le.PutUint64(e[32:], uint64(p.First))
		le.PutUint64(e[40:], uint64(p.Last))
		for k, c := range utf16.Encode([]rune(p.Name)) {
			le.PutUint16(e[56+2*k:], c)
		}
	}
	return b
}

func (t *Table) header(sectors, own, other, table int64, entries []byte) []byte {
	b := make([]byte, Sector)
	le := binary.LittleEndian
	first, last := Usable(sectors)
	copy(b, "EFI PART\x00\x00\x01\x00")
	le.PutUint32(b[12:], headerSize)
	le.PutUint64(b[24:], uint64(own))
	le.PutUint64(b[32:], uint64(other))
	le.PutUint64(b[40:], uint64(first))
	le.PutUint64(b[48:], uint64(last))
	copy(b[56:], t.Disk[:])
	le.PutUint64(b[72:], uint64(table))
	le.PutUint32(b[80:], entryCount)
	le.PutUint32(b[84:], entrySize)
	le.PutUint32(b[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:headerSize]))
	return b
}

// protective is the old partition table, which says that the disk is in use.
func protective(sectors int64) []byte {
	b := make([]byte, Sector)
	copy(b[446:], []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0})
	binary.LittleEndian.PutUint32(b[458:], uint32(min(sectors-1, 0xffffffff)))
	b[510], b[511] = 0x55, 0xaa
	return b
}

// Read reads the table of a disk of so many sectors; the copy at the end counts
// if the first one is broken.
func Read(r io.ReaderAt, sectors int64) (*Table, error) {
	t, err := readAt(r, 1)
	if errors.Is(err, ErrNoTable) && sectors > firstUsed {
		return readAt(r, sectors-1)
	}
	return t, err
}

func readAt(r io.ReaderAt, at int64) (*Table, error) {
	b := make([]byte, Sector)
	if _, err := r.ReadAt(b, at*Sector); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read partition table: %w", err)
	}
	le := binary.LittleEndian
	size, count, step := le.Uint32(b[12:]), le.Uint32(b[80:]), le.Uint32(b[84:])
	table := int64(le.Uint64(b[72:]))
	sum := le.Uint32(b[16:])
	clear(b[16:20])
	switch {
	case string(b[:8]) != "EFI PART", size < headerSize || size > Sector, crc32.ChecksumIEEE(b[:size]) != sum,
		int64(le.Uint64(b[24:])) != at, step < entrySize || step > 1024, count > 1024, table < 2 || table > 1<<50:
		return nil, ErrNoTable
	}
	entries := make([]byte, count*step)
	if _, err := r.ReadAt(entries, table*Sector); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read partition table: %w", err)
	}
	if crc32.ChecksumIEEE(entries) != le.Uint32(b[88:]) {
		return nil, ErrNoTable
	}
	t := &Table{Disk: GUID(b[56:72])}
	for ; len(entries) > 0; entries = entries[step:] {
		if p, ok := parseEntry(entries); ok {
			t.Partitions = append(t.Partitions, p)
		}
	}
	return t, nil
}

func parseEntry(e []byte) (p Partition, used bool) {
	le := binary.LittleEndian
	p = Partition{Type: GUID(e[:16]), ID: GUID(e[16:32]), First: int64(le.Uint64(e[32:])), Last: int64(le.Uint64(e[40:]))}
	if p.Type == (GUID{}) || p.First < 1 || p.Last < p.First || p.Last > 1<<50 {
		return p, false
	}
	var name []uint16
	for k := 56; k < entrySize; k += 2 {
		c := le.Uint16(e[k:])
		if c == 0 {
			break
		}
		name = append(name, c)
	}
	p.Name = string(utf16.Decode(name))
	return p, true
}
