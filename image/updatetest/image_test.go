package updatetest

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/board"
	"waymark/image/bundle"
	"waymark/image/disk"
	"waymark/image/ext4"
	"waymark/image/pack"
	"waymark/image/ship"
	"waymark/image/slot"
	"waymark/image/vm/vmtest"
)

const (
	boardName = "qemu-x86_64"
	version   = "1.0.0"
	counter   = 7
	arguments = "waymark.report=ttyS1 waymark.drill waymark.watchdog=6s panic=1"
)

// key is a key that says whose it is.
func key(name string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%-32s", name)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	must(t, err)
	return b
}

// factory is an image and what others are made of.
type factory struct {
	*pack.Options
	ship  *ship.Options
	parts ship.Parts
	stub  []byte
	acme  []byte
}

// build makes the image that the box starts with: branch1 of acme.json.
func build(t *testing.T) *factory {
	t.Helper()
	b, err := board.Find(boardName)
	must(t, err)
	root := vmtest.Root(t)
	f := &factory{ship: &ship.Options{Key: key("ours"), Append: arguments}}
	f.Options = &pack.Options{
		Board: b, Root: root, Kernel: vmtest.Kernel(t, b.Arch), Out: t.TempDir(), Tools: filepath.Join(root, "out/tools"),
		Version: version, Counter: counter, Built: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Log: func(string) {},
		Config: filepath.Join(root, "svr/router/testdata/acme.json"), Router: "branch1",
		TrialSeconds: 300, UpdateKeys: []ed25519.PublicKey{key("ours").Public().(ed25519.PublicKey)},
	}
	f.Finish = f.ship.Steps(b)
	_, err = pack.Build(t.Context(), f.Options)
	must(t, err)
	f.stub, f.acme = read(t, ship.EFIDir, "linuxx64.efi.stub"), read(t, f.Config)
	f.parts = ship.Parts{Version: version, Release: strings.TrimSpace(string(read(t, f.Kernel, "release"))),
		Kernel: read(t, f.Out, pack.KernelFile), Initrd: read(t, f.Out, pack.InitramfsFile), Cmdline: ship.Cmdline(b, arguments)}
	return f
}

// spoil makes a slot of the image with other kernel arguments and with files
// that lie over those of its initramfs.
func (f *factory) spoil(t testing.TB, arguments string, files ...overlay) []byte {
	t.Helper()
	p := f.parts
	p.Cmdline += " " + arguments
	if len(files) > 0 {
		p.Initrd = slices.Clone(p.Initrd)
		p.Initrd = append(p.Initrd, make([]byte, -len(p.Initrd)&3)...) // the kernel looks for the next archive in steps of four
		p.Initrd = append(p.Initrd, archive(files)...)
	}
	b, err := ship.Slot(f.stub, p)
	must(t, err)
	return b
}

// overlay is a file that takes the place of one in the initramfs.
type overlay struct {
	name string
	data []byte
}

// archive is a second archive behind the first: the kernel unpacks both
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func archive(files []overlay) []byte {
	var b bytes.Buffer
	pad := func() { b.Write(make([]byte, (4-b.Len()%4)%4)) }
	for i, f := range append(files, overlay{name: "TRAILER!!!"}) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			i+1, 0o100755, 0, 0, 1, 0, len(f.data), 0, 0, 0, 0, len(f.name)+1, 0)
		b.WriteString(f.name + "\x00")
		pad()
		b.Write(f.data)
		pad()
	}
	return b.Bytes()
}

// saboteur is the program of testdata, in one of its modes.
func (f *factory) saboteur(t testing.TB, mode string) []overlay {
	t.Helper()
	program := filepath.Join(t.TempDir(), "saboteur")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./testdata/saboteur")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build saboteur: %v\n%s", err, out)
	}
	return []overlay{{"init", read(t, program)}, {"etc/sabotage", []byte(mode)}}
}

// driver is the file of a module in the initramfs.
func (f *factory) driver(t testing.TB, name string) string {
	t.Helper()
	dep := string(read(t, f.Kernel, "lib/modules", f.parts.Release, "modules.dep"))
	for _, line := range strings.Split(dep, "\n") {
		file, _, _ := strings.Cut(line, ":")
		if base, _, _ := strings.Cut(filepath.Base(file), "."); base == name {
			file, _, _ = strings.Cut(file, ".ko")
			return "lib/modules/" + f.parts.Release + "/" + file + ".ko"
		}
	}
	t.Fatalf("the kernel has no module %s", name)
	return ""
}

// offer is a bundle that the box is given.
type offer struct {
	manifest bundle.Manifest
	key      ed25519.PrivateKey
	slot     []byte
	flip     bool // one bit of the last byte
}

// good is an offer of the slot that nothing is wrong with.
func good(version string, trial int, image []byte) offer {
	return offer{bundle.Manifest{Board: boardName, Version: version, Counter: counter + 1, TrialSeconds: trial}, key("ours"), image, false}
}

func (o *offer) bytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, bundle.Write(&b, o.key, &o.manifest, bundle.Content{Name: slot.File, Data: bytes.NewReader(o.slot)}))
	if o.flip {
		b.Bytes()[b.Len()-1] ^= 1
	}
	return b.Bytes()
}

// medium is a disk with the image in slot a, and offers on its data partition.
func (f *factory) medium(t testing.TB, offers map[string]offer) string {
	t.Helper()
	image := read(t, f.Out, ship.SlotFile)
	c := disk.Contents{Loader: read(t, ship.EFIDir, "systemd-bootx64.efi"), Slot: bytes.NewReader(image), SlotSize: int64(len(image)),
		Data: []ext4.File{{Path: "config/running.json", Mode: 0o600, Data: f.acme}, {Path: "config/router", Mode: 0o600, Data: []byte("branch1\n")}}}
	room := int64(64 << 20)
	for name, o := range offers {
		file := ext4.File{Path: "offers/" + name, Mode: 0o600, Data: o.bytes(t)}
		c.Data = append(c.Data, file)
		room += int64(len(file.Data)) + 4096
	}
	path := filepath.Join(t.TempDir(), "disk.img")
	d, err := os.Create(path)
	must(t, err)
	defer d.Close()
	size := (disk.MinSize + room) >> 20 << 20
	must(t, d.Truncate(size))
	must(t, disk.Write(d, size, c))
	return path
}

// Slot, disk and bundle made twice have the same bytes; kernel and initramfs are
// compared by boxtest.
func sameTwice(t *testing.T, f *factory) {
	t.Helper()
	again := *f.Options
	again.Out = t.TempDir()
	for _, name := range []string{pack.KernelFile, pack.InitramfsFile} {
		must(t, os.WriteFile(filepath.Join(again.Out, name), read(t, f.Out, name), 0o600))
	}
	for _, step := range f.Finish {
		_, err := step(t.Context(), &again)
		must(t, err)
	}
	for _, name := range []string{ship.SlotFile, ship.DiskFile, ship.BundleFile} {
		if out, err := exec.Command("cmp", filepath.Join(f.Out, name), filepath.Join(again.Out, name)).CombinedOutput(); err != nil {
			t.Errorf("%s differs between two builds: %s", name, out)
		}
	}
}
