package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"waymark/image/ext4"
	"waymark/image/fat"
	"waymark/image/gpt"
	"waymark/image/slot"
)

// Names of partitions.
const (
	ESPName  = "waymark-esp"
	DataName = "waymark-data" // board.DataLabel
)

// Sizes in bytes. The system partition holds three slots at a time: the running
// one, the one before, and one that is being written.
const (
	align    = 1 << 20
	ESPSize  = 96 << 20
	MinData  = 16 << 20
	MaxData  = 8 << 30
	overhead = 2 * align                    // both partition tables
	MinSize  = ESPSize + MinData + overhead // of a disk
	Image    = ESPSize + 48<<20 + overhead  // of disk.img
	SlotMax  = (ESPSize - 6<<20) / 3        // of a slot's file
)

// ErrSize: the disk is too small, or the slot too large.
var ErrSize = errors.New("it does not fit")

// Contents is what a new disk gets.
type Contents struct {
	Loader   []byte // systemd-boot
	Slot     io.Reader
	SlotSize int64
	Data     []ext4.File
	Seed     [32]byte // makes identifiers: a hash for the same bytes again, or random
	Time     uint32   // seconds since 1970, of everything on the data partition
}

// part is a part of a disk as a disk of its own.
type part struct {
	fat.Disk
	at int64
}

func (p part) ReadAt(b []byte, at int64) (int, error)  { return p.Disk.ReadAt(b, p.at+at) }
func (p part) WriteAt(b []byte, at int64) (int, error) { return p.Disk.WriteAt(b, p.at+at) }

// id makes the n-th identifier of a seed.
func (c *Contents) id(n byte) gpt.GUID {
	sum := sha256.Sum256(append(c.Seed[:], n))
	return gpt.FromSeed([16]byte(sum[:16]))
}

// table lays out a disk of size bytes.
func (c *Contents) table(size int64) *gpt.Table {
	_, last := gpt.Usable(size / gpt.Sector)
	data := (int64(align) + ESPSize) / gpt.Sector
	last = min(last, data+MaxData/gpt.Sector-1)
	last = (last+1)/8*8 - 1 // whole blocks of the data partition
	return &gpt.Table{Disk: c.id(0), Partitions: []gpt.Partition{
		{Type: gpt.ESP, ID: c.id(1), First: align / gpt.Sector, Last: data - 1, Name: ESPName},
		{Type: gpt.Linux, ID: c.id(2), First: data, Last: last, Name: DataName},
	}}
}

// Write makes the disk of size bytes anew; what it held is lost. The partition
// table comes last: before that the disk starts nothing.
func Write(d fat.Disk, size int64, c Contents) error {
	if size < MinSize {
		return fmt.Errorf("write disk of %d bytes: %w: at least %d", size, ErrSize, int64(MinSize))
	}
	if c.SlotSize > SlotMax {
		return fmt.Errorf("write slot of %d bytes: %w: at most %d", c.SlotSize, ErrSize, int64(SlotMax))
	}
	t := c.table(size)
	esp, data := t.Partitions[0], t.Partitions[1]
	zero := make([]byte, 34*gpt.Sector)
	for _, at := range []int64{0, size/gpt.Sector*gpt.Sector - int64(len(zero))} {
		if _, err := d.WriteAt(zero, at); err != nil {
			return fmt.Errorf("clear partition table: %w", err)
		}
	}
	if err := writeESP(part{d, esp.Offset()}, &esp, &c); err != nil {
		return fmt.Errorf("write %s: %w", ESPName, err)
	}
	if err := FormatData(part{d, data.Offset()}, data.Size(), c.id(3), c.Time, c.Data...); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	if err := t.Write(d, size/gpt.Sector); err != nil {
		return err
	}
	return d.Sync()
}

// FormatData makes the data partition anew.
func FormatData(w io.WriterAt, size int64, id gpt.GUID, now uint32, files ...ext4.File) error {
	c := ext4.Config{UUID: id, Label: DataName, Time: now}
	if err := ext4.Format(w, min(size, MaxData), c, files...); err != nil {
		return fmt.Errorf("format %s: %w", DataName, err)
	}
	return nil
}

// loaderConf is the loader's configuration: start at once, ask nobody.
const loaderConf = `timeout 0
editor no
auto-entries no
auto-firmware no
console-mode keep
`

// First is the first slot of a new disk.
var First = slot.Name{Number: 1, Letter: 'a'}

// LoaderPath is where the firmware looks for a loader.
const LoaderPath = "EFI/BOOT/BOOTX64.EFI"

func writeESP(d fat.Disk, p *gpt.Partition, c *Contents) error {
	serial := binary.LittleEndian.Uint32(c.Seed[:])
	if err := fat.Format(d, p.Size(), fat.Formatting{Label: "WAYMARK", Serial: serial, Hidden: p.First}); err != nil {
		return err
	}
	v, err := fat.Open(d)
	if err != nil {
		return err
	}
	for _, dir := range []string{"EFI", "EFI/BOOT", slot.Folder, "loader"} {
		if err := v.Mkdir(dir); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name string
		size int64
		data io.Reader
	}{
		{"loader/loader.conf", int64(len(loaderConf)), bytes.NewReader([]byte(loaderConf))},
		{slot.Folder + "/" + First.String(), c.SlotSize, c.Slot},
		{LoaderPath, int64(len(c.Loader)), bytes.NewReader(c.Loader)},
	} {
		if err := v.Create(f.name, f.size, f.data); err != nil {
			return err
		}
	}
	return nil
}
