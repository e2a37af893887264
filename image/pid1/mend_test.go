package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"waymark/image/ext4"
)

func TestRuined(t *testing.T) {
	for err, want := range map[error]bool{
		unix.EINVAL: true, unix.EUCLEAN: true, unix.EBADMSG: true, unix.EROFS: true,
		unix.ENODEV: false, // the kernel does not know the file system
		unix.EBUSY:  false, unix.ENOSPC: false, unix.EIO: false, errors.New("x"): false,
	} {
		if got := ruined(fmt.Errorf("mount: %w", err)); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// What is kept is put into the new file system, and can be read there.
func TestSalvage(t *testing.T) {
	d := &data{root: t.TempDir()}
	put := func(name string, size int64) {
		t.Helper()
		path := filepath.Join(d.root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(name), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, max(size, int64(len(name)))); err != nil {
			t.Fatal(err)
		}
	}
	put("config/running.json", 0)
	put("config/older/1.json", 0)
	put("identity/key", 0)
	put("identity/huge", maxSalvage+1)
	put("log/events", 0)
	files := d.salvage("config", "identity", "missing")
	var names []string
	for _, f := range files {
		if string(f.Data) != f.Path || f.Mode != 0o600 {
			t.Errorf("%s: %q, %o", f.Path, f.Data, f.Mode)
		}
		names = append(names, f.Path)
	}
	if fmt.Sprint(names) != "[config/older/1.json config/running.json identity/key]" {
		t.Errorf("salvaged %v", names)
	}
	if files := (*data)(nil).salvage("config"); files != nil {
		t.Errorf("from nothing: %v", files)
	}
	device := filepath.Join(t.TempDir(), "device")
	if err := errors.Join(os.WriteFile(device, nil, 0o600), os.Truncate(device, 16<<20), formatData(device, files)); err != nil {
		t.Fatal(err)
	}
	if got := label(device); got != "waymark-data" {
		t.Errorf("label %q", got)
	}
	if err := formatData(device, []ext4.File{{Path: "x", Data: make([]byte, 32<<20)}}); !errors.Is(err, ext4.ErrSize) {
		t.Errorf("too much: %v", err)
	}
}

func TestProbe(t *testing.T) {
	d := &data{root: t.TempDir()}
	if err := d.probe(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(d.root); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if err := (&data{root: d.root + "/none"}).probe(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
