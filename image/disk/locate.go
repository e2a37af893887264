package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"waymark/image/gpt"
)

// Where the kernel shows block devices.
const (
	Sys = "/sys/class/block"
	Dev = "/dev"
)

// ErrNotFound: no disk here is the one.
var ErrNotFound = errors.New("the disk that the system was started from is not here")

// Found are devices of the running system.
type Found struct {
	Disk string // whole disk
	ESP  string // partition that the loader came from
	Data string // data partition of the same disk, "" if it has none
}

// Locate finds the disk whose EFI system partition has the identifier id, as the
// loader tells it (efivar.Loader). sys and dev are Sys and Dev. Names of
// partitions alone would not do: a stick that is plugged in has the same.
func Locate(sys, dev, id string) (Found, error) {
	want, err := gpt.Parse(id)
	if err != nil {
		return Found{}, err
	}
	disks, err := os.ReadDir(sys)
	if err != nil {
		return Found{}, fmt.Errorf("list disks: %w", err)
	}
	for _, d := range disks {
		if _, err := os.Stat(filepath.Join(sys, d.Name(), "partition")); err == nil {
			continue
		}
		if f, ok := examine(sys, dev, d.Name(), want); ok {
			return f, nil
		}
	}
	return Found{}, ErrNotFound
}

// examine looks for the partition on one disk; a disk that cannot be read is not it.
func examine(sys, dev, name string, want gpt.GUID) (f Found, ok bool) {
	f.Disk = filepath.Join(dev, name)
	t, err := readTable(f.Disk, number(filepath.Join(sys, name, "size")))
	if err != nil {
		return f, false
	}
	for _, p := range t.Partitions {
		device := partition(sys, dev, name, p.First)
		switch {
		case p.ID == want:
			f.ESP = device
		case p.Name == DataName && f.Data == "":
			f.Data = device
		}
	}
	return f, f.ESP != ""
}

func readTable(path string, sectors int64) (*gpt.Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return gpt.Read(f, sectors)
}

// partition is the device that begins at a sector of a disk.
func partition(sys, dev, disk string, first int64) string {
	entries, _ := os.ReadDir(filepath.Join(sys, disk)) // none: no partitions
	for _, e := range entries {
		at := filepath.Join(sys, disk, e.Name(), "start")
		if _, err := os.Stat(at); err == nil && number(at) == first {
			return filepath.Join(dev, e.Name())
		}
	}
	return ""
}

// number reads a file of sysfs; -1 if there is none.
func number(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
