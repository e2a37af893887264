package keep_test

import (
	"errors"
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

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{"first", "second"} {
		if err := keep.Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := keep.Read(path, 6); err != nil || string(b) != text {
			t.Errorf("%s: %q, %v", text, b, err)
		}
	}
	if _, err := keep.Read(path, 5); !errors.Is(err, keep.ErrSize) {
		t.Errorf("too large: %v", err)
	}
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}
