package disk

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"waymark/image/fat"
	"waymark/image/slot"
)

// espDevice is the system partition of a disk image.
type espDevice struct{ part }

func (espDevice) Forget() error { return nil }

func bootedFrom(t *testing.T, name string) *slot.Box {
	d := mustOpen(t, name)
	return &slot.Box{Running: First, Log: slog.New(slog.DiscardHandler), Open: func() (slot.Disk, io.Closer, error) {
		return espDevice{part{d, align}}, io.NopCloser(nil), nil
	}}
}

func TestInstall(t *testing.T) {
	own := image(t, Image, contents(1))
	b := bootedFrom(t, own)
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Truncate(target, 300<<20),
		os.WriteFile(filepath.Join(dir, "router"), []byte("hub1\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	in := Installation{Target: target, Own: own, Config: dir}
	if err := Install(b, in); err != nil {
		t.Fatal(err)
	}
	run(t, "sgdisk", "-v", target)
	v, err := fat.Open(part{mustOpen(t, target), align})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := io.ReadAll(contents(1).Slot)
	got, err := read(v, slot.Folder+"/"+First.String())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("slot: %d bytes, %v, want %d", len(got), err, len(want))
	}
	if got, err := read(v, LoaderPath); err != nil || string(got) != "loader" {
		t.Errorf("loader: %q, %v", got, err)
	}
	data := filepath.Join(dir, "data")
	run(t, "dd", "if="+target, "of="+data, "bs=1M", "skip=97", "conv=sparse", "status=none")
	if got := run(t, "debugfs", "-R", "cat /config/router", data); !bytes.HasSuffix([]byte(got), []byte("hub1\n")) {
		t.Errorf("configuration: %q", got)
	}
	if bytes.Equal(ids(t, own), ids(t, target)) {
		t.Error("two disks with the same identifiers")
	}
	if err := Install(b, in); !errors.Is(err, ErrNotNew) {
		t.Errorf("a disk with partitions: %v", err)
	}
	if in.Force = true; Install(b, in) != nil {
		t.Error("force does not help")
	}
	if err := Install(b, Installation{Target: own, Own: own, Force: true}); !errors.Is(err, ErrOwn) {
		t.Errorf("the own disk: %v", err)
	}
	if err := Install(b, Installation{Target: target + ".none", Own: own}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no disk: %v", err)
	}
}

// ids are the identifiers in a partition table.
func ids(t *testing.T, name string) (b []byte) {
	t.Helper()
	table, err := readTable(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, table.Disk[:]...)
	for _, p := range table.Partitions {
		b = append(b, p.ID[:]...)
	}
	return b
}
