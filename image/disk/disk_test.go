package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/image/ext4"
	"waymark/image/fat"
	"waymark/image/gpt"
	"waymark/image/slot"
)

func contents(seed byte) Contents {
	data := bytes.Repeat([]byte("slot\n"), 10_000)
	return Contents{
		Loader: []byte("loader"), Slot: bytes.NewReader(data), SlotSize: int64(len(data)), Time: 1700000000,
		Data: []ext4.File{{Path: "config/router", Mode: 0o600, Data: []byte("branch1\n")}}, Seed: [32]byte{seed, 1, 2},
	}
}

// image makes a disk in a sparse file.
func image(t *testing.T, size int64, c Contents) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), Write(f, size, c), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// The programs that everyone has find nothing wrong.
func TestOthersRead(t *testing.T) {
	for _, size := range []int64{MinSize, Image, 1<<30 + 512} {
		name := image(t, size, contents(1))
		if out := run(t, "sgdisk", "-v", name); !strings.Contains(out, "No problems found") {
			t.Errorf("%d bytes: %s", size, out)
		}
		list := run(t, "mdir", "-b", "-/", "-i", name+"@@1M", "::/")
		for _, want := range []string{"::/EFI/BOOT/BOOTX64.EFI", "::/EFI/Linux/waymark-000001-a.efi", "::/loader/loader.conf"} {
			if !strings.Contains(list, want+"\n") {
				t.Errorf("%d bytes: no %s in\n%s", size, want, list)
			}
		}
		data := filepath.Join(t.TempDir(), "data")
		run(t, "dd", "if="+name, "of="+data, "bs=1M", fmt.Sprintf("skip=%d", 1+ESPSize>>20), "conv=sparse", "status=none")
		run(t, "e2fsck", "-f", "-n", data)
		if got := run(t, "debugfs", "-R", "cat /config/router", data); !strings.HasSuffix(got, "branch1\n") {
			t.Errorf("%d bytes: the configuration reads %q", size, got)
		}
	}
}

func TestReproducible(t *testing.T) {
	a, b, c := image(t, Image, contents(1)), image(t, Image, contents(1)), image(t, Image, contents(2))
	run(t, "cmp", a, b)
	if exec.Command("cmp", "-s", a, c).Run() == nil {
		t.Error("two disks with different seeds are the same")
	}
}

func TestTooSmall(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(f, MinSize-512, contents(1)); !errors.Is(err, ErrSize) {
		t.Errorf("small disk: %v", err)
	}
	c := contents(1)
	c.SlotSize = SlotMax + 1
	if err := Write(f, Image, c); !errors.Is(err, ErrSize) {
		t.Errorf("large slot: %v", err)
	}
	// Three slots of the largest size fit at once.
	c = contents(1)
	c.Slot, c.SlotSize = io.LimitReader(zeros{}, SlotMax), SlotMax
	v, err := fat.Open(part{mustOpen(t, image(t, Image, c)), align})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := v.Create(fmt.Sprintf("%s/more-%d", slot.Folder, i), SlotMax, zeros{n: SlotMax}.reader()); err != nil {
			t.Error(err)
		}
	}
}

type zeros struct{ n int64 }

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
func (z zeros) reader() io.Reader        { return io.LimitReader(z, z.n) }

func mustOpen(t *testing.T, name string) *Device {
	t.Helper()
	d, err := OpenDevice(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDevice(t *testing.T) {
	d := mustOpen(t, image(t, MinSize, contents(1)))
	if d.Size != MinSize {
		t.Errorf("size %d", d.Size)
	}
	if err := d.Forget(); err != nil {
		t.Error(err)
	}
	if err := d.Reread(); err == nil {
		t.Error("a file has no partitions for the kernel to read")
	}
	if _, err := OpenDevice(d.Name()+".none", time.Hour); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no device: %v", err)
	}
}

// sysfs imitates two disks, as the kernel shows them: sda is a stick with the
// same names, vda the one that was started from.
func sysfs(t *testing.T) (sys, dev string) {
	sys, dev = t.TempDir(), t.TempDir()
	put := func(path, text string) {
		t.Helper()
		name := filepath.Join(sys, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range []string{"sda", "vda"} {
		if err := os.Rename(image(t, Image, contents(byte(i))), filepath.Join(dev, d)); err != nil {
			t.Fatal(err)
		}
		put(d+"/size", fmt.Sprintln(Image/512))
		for k, first := range []int64{align / 512, (align + ESPSize) / 512} {
			for _, at := range []string{d + "/", ""} {
				put(fmt.Sprintf("%s%s%d/start", at, d, k+1), fmt.Sprintln(first))
				put(fmt.Sprintf("%s%s%d/partition", at, d, k+1), fmt.Sprintln(k+1))
			}
		}
	}
	put("loop0/size", "0\n")
	return sys, dev
}

func TestLocate(t *testing.T) {
	sys, dev := sysfs(t)
	c := contents(1)
	f, err := Locate(sys, dev, strings.ToUpper(c.id(1).String()))
	if want := (Found{dev + "/vda", dev + "/vda1", dev + "/vda2"}); err != nil || f != want {
		t.Errorf("%+v, %v, want %+v", f, err, want)
	}
	if _, err := Locate(sys, dev, gpt.ESP.String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("another identifier: %v", err)
	}
	if _, err := Locate(sys, dev, ""); err == nil {
		t.Error("no identifier: no error")
	}
}
