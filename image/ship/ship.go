// Package ship makes of a packed image what people and boxes take: the slot's
// file (slot.efi), a whole disk (disk.img) and a signed bundle (bundle.wmb). All
// come from the same inputs to the same bytes.
package ship

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"waymark/board"
	"waymark/image/bundle"
	"waymark/image/disk"
	"waymark/image/ext4"
	"waymark/image/pack"
	"waymark/image/slot"
	"waymark/image/uki"
)

// Files that the steps leave in the folder of the image.
const (
	SlotFile   = slot.File
	DiskFile   = "disk.img"
	BundleFile = "bundle.wmb"
)

// Options are what the steps need besides the image.
type Options struct {
	Key    ed25519.PrivateKey // signs the bundle
	Append string             // more kernel arguments, built into the slot
	EFI    string             // folder with systemd's stub and loader; "": EFIDir
}

// EFIDir is where the package systemd-boot-efi puts stub and loader.
const EFIDir = "/usr/lib/systemd/boot/efi"

const (
	stubFile   = "linuxx64.efi.stub"
	loaderFile = "systemd-bootx64.efi"
)

// Steps are for pack.Options.Finish. Boards whose slots are not files of an EFI
// system partition have none.
func (s *Options) Steps(b *board.Board) []func(context.Context, *pack.Options) (pack.Sizes, error) {
	if b.Flash.Layout != board.LayoutESP || b.Arch != "amd64" {
		return nil
	}
	return []func(context.Context, *pack.Options) (pack.Sizes, error){s.slot, s.disk, s.bundle}
}

func (s *Options) efi(name string) ([]byte, error) {
	dir := s.EFI
	if dir == "" {
		dir = EFIDir
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("%w (package systemd-boot-efi)", err)
	}
	return b, nil
}

// slot makes the unified kernel image.
func (s *Options) slot(_ context.Context, o *pack.Options) (pack.Sizes, error) {
	o.Log("slot")
	stub, err := s.efi(stubFile)
	if err != nil {
		return nil, err
	}
	kernel, e1 := os.ReadFile(filepath.Join(o.Out, pack.KernelFile))
	initrd, e2 := os.ReadFile(filepath.Join(o.Out, pack.InitramfsFile))
	release, e3 := os.ReadFile(filepath.Join(o.Kernel, "release"))
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	image, err := Slot(stub, Parts{
		Version: o.Version, Release: strings.TrimSpace(string(release)), Kernel: kernel, Initrd: initrd,
		Cmdline: Cmdline(o.Board, s.Append),
	})
	if err != nil {
		return nil, err
	}
	return pack.Sizes{SlotFile: int64(len(image))}, os.WriteFile(filepath.Join(o.Out, SlotFile), image, 0o644)
}

// Parts are what a slot is made of.
type Parts struct {
	Version, Release, Cmdline string // Release is the kernel's
	Kernel, Initrd            []byte
}

// Slot makes the file of a slot. The description has a name and nothing else: with
// an ID in it the loader would sort by version, and not by the file's name, which
// is the box's to choose.
func Slot(stub []byte, p Parts) ([]byte, error) {
	return uki.Build(stub,
		uki.Section{Name: ".osrel", Data: []byte(fmt.Sprintf("PRETTY_NAME=\"Waymark %s\"\n", p.Version))},
		uki.Section{Name: ".cmdline", Data: []byte(p.Cmdline)},
		uki.Section{Name: ".uname", Data: []byte(p.Release)},
		uki.Section{Name: ".initrd", Data: p.Initrd},
		uki.Section{Name: ".linux", Data: p.Kernel})
}

// Cmdline are the kernel arguments of a board's slots: a dead kernel starts again
// before init could see to it.
func Cmdline(b *board.Board, more string) string {
	return strings.TrimSpace(fmt.Sprintf("console=%s panic=10 quiet %s", b.Console, more))
}

// disk makes a disk with the slot committed and the configuration, if any, on
// its data partition.
func (s *Options) disk(_ context.Context, o *pack.Options) (pack.Sizes, error) {
	o.Log("disk")
	loader, err := s.efi(loaderFile)
	if err != nil {
		return nil, err
	}
	image, err := os.ReadFile(filepath.Join(o.Out, SlotFile))
	if err != nil {
		return nil, err
	}
	c := disk.Contents{Loader: loader, Slot: bytes.NewReader(image), SlotSize: int64(len(image)),
		Seed: sha256.Sum256(image), Time: uint32(o.Built.Unix())}
	if o.Config != "" {
		text, err := os.ReadFile(o.Config)
		if err != nil {
			return nil, err
		}
		c.Data = []ext4.File{{Path: "config/running.json", Mode: 0o600, Data: text},
			{Path: "config/router", Mode: 0o600, Data: []byte(o.Router + "\n")}}
	}
	return nil, Disk(filepath.Join(o.Out, DiskFile), c)
}

// Disk makes a disk image, a sparse file.
func Disk(path string, c disk.Contents) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(disk.Image), disk.Write(f, disk.Image, c), f.Close())
}

func (s *Options) bundle(_ context.Context, o *pack.Options) (pack.Sizes, error) {
	o.Log("bundle")
	image, err := os.Open(filepath.Join(o.Out, SlotFile))
	if err != nil {
		return nil, err
	}
	defer image.Close()
	m := &bundle.Manifest{Board: o.Board.Name, Version: o.Version, Counter: o.Counter, TrialSeconds: o.TrialSeconds}
	path := filepath.Join(o.Out, BundleFile)
	if err := Bundle(path, s.Key, m, image); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return pack.Sizes{BundleFile: info.Size()}, nil
}

// Bundle makes a bundle of a slot.
func Bundle(path string, key ed25519.PrivateKey, m *bundle.Manifest, image io.ReadSeeker) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(bundle.Write(f, key, m, bundle.Content{Name: slot.File, Data: image}), f.Close())
}
