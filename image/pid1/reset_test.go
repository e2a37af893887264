package pid1

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// soiled is the data partition of a box that was used.
var soiled = []string{
	"config/router", "config/running.json", "config/versions/1.json", "files/a/b", "identity/console-secret", "identity/salt.pem",
	"log/init.log", "log/panic.txt", "state/clock", "state/last-words.json", "whatever-comes-later",
	"update/update.json", "lost+found/x",
}

func soil(t *testing.T) *data {
	t.Helper()
	d := &data{root: t.TempDir()}
	for _, name := range soiled {
		path := filepath.Join(d.root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *data) files(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			list = append(list, strings.TrimPrefix(path, d.root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var clean = []string{"lost+found/x", "state/last-words.json", "update/update.json"}

// Nothing is touched before the end: services that still run would write it anew.
func TestResetIsAskedAndDone(t *testing.T) {
	d := soil(t)
	if err := d.finishReset(); err != nil || len(d.files(t)) != len(soiled) {
		t.Fatalf("a reset that nobody asked for: %v, %q", err, d.files(t))
	}
	if err := d.askReset(Reason{Why: WhyReboot, Detail: "factory-reset: console"}); err != nil || !d.resetAsked() {
		t.Fatal(err)
	}
	if got := d.files(t); len(got) != len(soiled)+1 {
		t.Errorf("asked: %q", got)
	}
	if err := d.finishReset(); err != nil || d.resetAsked() {
		t.Fatal(err)
	}
	if got := d.files(t); !slices.Equal(got, clean) {
		t.Errorf("done: %q", got)
	}
	if r := d.takeWords(); r == nil || r.String() != "reboot (factory-reset: console)" {
		t.Errorf("words: %v", r)
	}
	var none *data
	if err := errors.Join(none.askReset(Reason{}), none.finishReset()); err != nil {
		t.Errorf("without data partition: %v", err)
	}
}

// Power goes behind any step: the next boot ends where the first would have.
func TestResetIsFinishedAfterACut(t *testing.T) {
	for cut := range len(soiled) + 1 {
		d := soil(t)
		if err := d.askReset(Reason{Why: WhyReboot, Detail: "factory-reset: x"}); err != nil {
			t.Fatal(err)
		}
		for _, name := range soiled[:cut] { // what the first try has removed
			if !slices.Contains(remains, strings.Split(name, "/")[0]) {
				if err := os.Remove(filepath.Join(d.root, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := d.finishReset(); err != nil {
			t.Fatal(err)
		}
		if got := d.files(t); !slices.Equal(got, clean) || d.resetAsked() {
			t.Errorf("cut behind %d: %q", cut, got)
		}
	}
	d := soil(t) // a request of which nothing but its name is left
	if err := os.WriteFile(filepath.Join(d.root, resetFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.finishReset(); err != nil || !slices.Equal(d.files(t), clean) {
		t.Errorf("damaged request: %v, %q", err, d.files(t))
	}
	if r := d.takeWords(); r == nil || r.String() != "reboot (factory-reset)" {
		t.Errorf("words: %v", r)
	}
}

// What cannot be forgotten is still asked for.
func TestResetThatFails(t *testing.T) {
	d := &data{root: "/proc/self"} // takes nothing, gives nothing away
	if err := d.askReset(Reason{}); err == nil {
		t.Error("asked where nothing can be written")
	}
}
