package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var config = Config{UUID: [16]byte{1, 2, 3, 4}, Label: "waymark-data", Time: 1700000000}

// make formats a sparse file.
func format(t *testing.T, size int64, files ...File) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fs")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := Format(f, size, config, files...); err != nil {
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

// e2fsck finds nothing to mend, at sizes where layouts differ.
func TestClean(t *testing.T) {
	files := []File{
		{"config/running.json", 0o600, bytes.Repeat([]byte("x"), 10_000)}, {"config/router", 0o644, []byte("branch1\n")},
		{"identity/empty", 0o600, nil}, {"a/b/c/d", 0o600, []byte("deep")},
	}
	for _, mb := range []int64{8, 48, 128, 129, 256, 600, 1300, 4096, 16384} {
		name := format(t, mb<<20, files...)
		out := run(t, "e2fsck", "-f", "-n", name)
		if strings.Contains(out, "?") || !strings.Contains(out, "waymark-data: 20/") {
			t.Errorf("%d MiB: %s", mb, out)
		}
		for _, f := range files {
			if got := run(t, "debugfs", "-R", "cat /"+f.Path, name); !strings.HasSuffix(got, string(f.Data)) {
				t.Errorf("%d MiB: %s reads as %.60q", mb, f.Path, got)
			}
		}
	}
}

// An odd size, and a last group too small for its tables.
func TestOddSizes(t *testing.T) {
	for _, size := range []int64{8<<20 + 4095, 128<<20 + 100<<10, 48<<20 - 512} {
		run(t, "e2fsck", "-f", "-n", format(t, size))
	}
}

func TestReproducible(t *testing.T) {
	a := format(t, 48<<20, File{"x/1", 0o600, []byte("1")}, File{"y", 0o600, []byte("2")})
	b := format(t, 48<<20, File{"y", 0o600, []byte("2")}, File{"x/1", 0o600, []byte("1")})
	run(t, "cmp", a, b)
}

// Whatever lay there before: a new file system on an old one is clean.
func TestOverOld(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fs")
	if err := os.WriteFile(name, bytes.Repeat([]byte{0xff, 0x53, 0xef, 0xa5}, 12<<18), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Format(f, 12<<20, config); err != nil {
		t.Fatal(err)
	}
	run(t, "e2fsck", "-f", "-n", name)
}

func TestRefused(t *testing.T) {
	discard := writer(func([]byte, int64) (int, error) { return 0, nil })
	var many []File
	for i := range 200 {
		many = append(many, File{fmt.Sprintf("a-long-name-%0100d", i), 0o600, nil})
	}
	for name, err := range map[string]error{
		"too small":  Format(discard, 1<<20, config),
		"too large":  Format(discard, 17<<30, config),
		"no room":    Format(discard, 8<<20, config, File{"x", 0o600, make([]byte, 8<<20)}),
		"many names": Format(discard, 48<<20, config, many...),
		"long name":  Format(discard, 48<<20, config, File{strings.Repeat("n", 256), 0o600, nil}),
	} {
		if !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("disk pulled")
	if err := Format(writer(func([]byte, int64) (int, error) { return 0, broken }), 8<<20, config); !errors.Is(err, broken) {
		t.Errorf("disk fails: %v", err)
	}
}

type writer func([]byte, int64) (int, error)

func (w writer) WriteAt(b []byte, at int64) (int, error) { return w(b, at) }
