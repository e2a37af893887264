package slot

import (
	"errors"
	"fmt"
	"io"
	"path"

	"waymark/image/fat"
)

// Folder is where slots lie on the EFI system partition, and written the file
// that becomes one.
const (
	Folder  = "EFI/Linux"
	written = "waymark.new"
)

// Disk is the EFI system partition.
type Disk interface {
	fat.Disk
	// Forget drops what is cached, so that the next reads come from the medium.
	Forget() error
}

// ESP is the open partition.
type ESP struct {
	disk Disk
	v    *fat.Volume
}

// OpenESP reads the partition.
func OpenESP(d Disk) (*ESP, error) {
	v, err := fat.Open(d)
	if err != nil {
		return nil, fmt.Errorf("open EFI system partition: %w", err)
	}
	return &ESP{disk: d, v: v}, nil
}

// Names lists the slots.
func (e *ESP) Names() (list []Name, err error) {
	files, err := e.v.List(Folder)
	if err != nil {
		return nil, fmt.Errorf("list slots: %w", err)
	}
	for _, f := range files {
		if n, ok := ParseName(f.Name); ok && !f.Dir {
			list = append(list, n)
		}
	}
	return list, nil
}

// Open reads a slot and tells its size in bytes.
func (e *ESP) Open(n Name) (io.Reader, int64, error) {
	return e.open(func(m Name) bool { return m == n })
}

// OpenRunning reads the slot of a name without counter, whatever counter it has.
func (e *ESP) OpenRunning(n Name) (io.Reader, int64, error) {
	return e.open(func(m Name) bool { return m.Committed() == n.Committed() })
}

func (e *ESP) open(is func(Name) bool) (io.Reader, int64, error) {
	files, err := e.v.List(Folder)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range files {
		if m, ok := ParseName(f.Name); ok && is(m) {
			r, err := e.v.Open(path.Join(Folder, f.Name))
			return r, f.Size, err
		}
	}
	return nil, 0, fmt.Errorf("open slot: %w", fat.ErrNotFound)
}

// rename gives a slot another counter.
func (e *ESP) rename(from, to Name) error {
	if from == to {
		return nil
	}
	if err := e.v.Rename(path.Join(Folder, from.String()), to.String()); err != nil {
		return fmt.Errorf("rename slot: %w", err)
	}
	return nil
}

// remove removes slots; the reason why one cannot be is told last.
func (e *ESP) remove(names ...Name) (err error) {
	for _, n := range names {
		if e := e.v.Remove(path.Join(Folder, n.String())); e != nil {
			err = fmt.Errorf("remove slot: %w", e)
		}
	}
	return err
}

// write stores a new file beside the slots, under a name that the loader does
// not know.
func (e *ESP) write(size int64, r io.Reader) error {
	if err := e.v.Remove(path.Join(Folder, written)); err != nil && !errors.Is(err, fat.ErrNotFound) {
		return fmt.Errorf("make room: %w", err)
	}
	if _, err := e.v.Reclaim(); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	return e.v.Create(path.Join(Folder, written), size, r)
}

// readBack reads the new file from the medium.
func (e *ESP) readBack() (io.Reader, error) {
	if err := e.disk.Forget(); err != nil {
		return nil, fmt.Errorf("drop caches: %w", err)
	}
	v, err := fat.Open(e.disk)
	if err != nil {
		return nil, err
	}
	e.v = v
	return v.Open(path.Join(Folder, written))
}

// activate makes the new file a slot.
func (e *ESP) activate(n Name) error { return e.v.Rename(path.Join(Folder, written), n.String()) }

// discard takes the new file away.
func (e *ESP) discard() error { return e.v.Remove(path.Join(Folder, written)) }
