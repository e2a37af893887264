package disk

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"waymark/image/ext4"
	"waymark/image/fat"
	"waymark/image/gpt"
	"waymark/image/slot"
)

// Why a disk is not installed on.
var (
	ErrOwn    = errors.New("the system was started from this disk")
	ErrNotNew = errors.New("the disk is not empty; -force installs all the same, and everything on it is lost")
)

// Installation is what Install is told.
type Installation struct {
	Target string // device of the whole disk
	Own    string // the one that was started from
	Force  bool   // the target need not be empty
	Config string // folder with the configuration that goes along, if it is there
}

// Install puts the running slot, its loader and the configuration on another
// disk, which then starts by itself. Identity and state stay behind: it is
// another box.
func Install(b *slot.Box, in Installation) (err error) {
	own, e1 := filepath.EvalSymlinks(in.Own)
	target, e2 := filepath.EvalSymlinks(in.Target)
	if err := errors.Join(e1, e2); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if own == target {
		return fmt.Errorf("install on %s: %w", in.Target, ErrOwn)
	}
	d, err := OpenDevice(target, 0)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if !in.Force && !empty(d) {
		return fmt.Errorf("install on %s: %w", in.Target, ErrNotNew)
	}
	c, err := running(b)
	if err != nil {
		return fmt.Errorf("read the running slot: %w", err)
	}
	c.Data = configuration(in.Config)
	if err := Write(d, d.Size, *c); err != nil {
		return fmt.Errorf("install on %s: %w", in.Target, err)
	}
	_ = d.Reread() // for who wants to look at it before the next start
	return nil
}

// empty tells whether the disk has neither a partition table nor anything else
// where file systems begin.
func empty(d *Device) bool {
	if _, err := gpt.Read(d, d.Size/gpt.Sector); err == nil {
		return false
	}
	b := make([]byte, 128<<10)
	n, err := d.ReadAt(b, 0)
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Count(b[:n], []byte{0}) == n
}

// running reads loader and slot from the system partition.
func running(b *slot.Box) (c *Contents, err error) {
	d, closer, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	v, err := fat.Open(d)
	if err != nil {
		return nil, err
	}
	loader, e1 := read(v, LoaderPath)
	e, e2 := slot.OpenESP(d)
	if err := errors.Join(e1, e2); err != nil {
		return nil, err
	}
	r, size, err := e.OpenRunning(b.Running)
	if err != nil {
		return nil, err
	}
	image, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	c = &Contents{Loader: loader, Slot: bytes.NewReader(image), SlotSize: size, Time: uint32(time.Now().Unix())}
	_, err = rand.Read(c.Seed[:])
	return c, err
}

func read(v *fat.Volume, name string) ([]byte, error) {
	r, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// configuration reads the files that go along; a box without any has none.
func configuration(dir string) (files []ext4.File) {
	for _, name := range []string{"running.json", "router"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			files = append(files, ext4.File{Path: "config/" + name, Mode: 0o600, Data: b})
		}
	}
	return files
}
