package keep_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/net/keep"
)

func TestSince(t *testing.T) {
	then := keep.Stamp{Wall: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Boot: "a", Uptime: time.Hour}
	for _, tt := range []struct {
		name  string
		now   keep.Stamp
		age   time.Duration
		known bool
	}{
		{"same boot", keep.Stamp{Wall: then.Wall.Add(time.Second), Boot: "a", Uptime: time.Hour + 10*time.Second}, 10 * time.Second, true},
		{"same boot, wall clock jumped back", keep.Stamp{Wall: time.Unix(0, 0), Boot: "a", Uptime: time.Hour + time.Second}, time.Second, true},
		{"rebooted", keep.Stamp{Wall: then.Wall.Add(time.Minute), Boot: "b"}, time.Minute, true},
		{"rebooted without a clock", keep.Stamp{Wall: time.Unix(0, 0), Boot: "b"}, 0, false},
		{"nobody knows the boot", keep.Stamp{Wall: then.Wall.Add(time.Minute)}, time.Minute, true},
	} {
		age, known := then.Since(tt.now)
		if known != tt.known || known && age != tt.age {
			t.Errorf("%s: %v, %t", tt.name, age, known)
		}
	}
	if a, b := keep.Now(), keep.Now(); a.Boot == "" || a.Boot != b.Boot || b.Uptime < a.Uptime {
		t.Errorf("clocks %+v, %+v", a, b)
	}
}

// Both ways to write leave the new contents, with their mode, and nothing beside.
func TestFiles(t *testing.T) {
	for name, write := range map[string]func(string, []byte, fs.FileMode) error{"replace": keep.Replace, "exchange": keep.Exchange} {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		for _, text := range []string{"first", "second"} {
			if err := write(path, []byte(text), 0o640); err != nil {
				t.Fatal(err)
			}
			if b, err := keep.Read(path, 6); err != nil || string(b) != text {
				t.Errorf("%s %s: %q, %v", name, text, b, err)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s left %v, %v", name, left, err)
		}
		if _, err := keep.Read(path, 5); !errors.Is(err, keep.ErrSize) {
			t.Errorf("%s: too long: %v", name, err)
		}
		if err := write(filepath.Join(dir, "none", "f"), nil, 0o600); err == nil {
			t.Errorf("%s: wrote into no directory", name)
		}
	}
}
