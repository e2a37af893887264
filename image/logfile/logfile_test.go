package logfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"waymark/image/logfile"
)

func open(t *testing.T, dir, name string) *logfile.File {
	t.Helper()
	l, err := logfile.Open(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(name string, b []byte) error { return os.WriteFile(name, b, 0o600) }

func TestLinesAndBounds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir, "router")
	long := strings.Repeat("x", 2*logfile.LineMax)
	for _, line := range []string{"one", "two\n", "three\r\n", "", long} {
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%.10q: %d, %v", line, n, err)
		}
	}
	if got, want := read(t, dir, "router.log"), "one\ntwo\nthree\n\n"+long[:logfile.LineMax]+"\n"; got != want {
		t.Errorf("got %.40q… (%d bytes), want %d", got, len(got), len(want))
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "router.log": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// A log that is written for ever takes no more than two files, and loses no line
// between them.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, "router")
	const lines = 20000
	for i := range lines {
		fmt.Fprintf(l, "line %08d of the router", i)
	}
	now, before := read(t, dir, "router.log"), read(t, dir, "router.log.1")
	if len(now) > logfile.Max || len(before) > logfile.Max || len(before) < logfile.Max/2 {
		t.Errorf("%d and %d bytes", len(now), len(before))
	}
	all := strings.Split(strings.TrimSuffix(before+now, "\n"), "\n")
	for i, line := range all {
		if want := fmt.Sprintf("line %08d of the router", lines-len(all)+i); line != want {
			t.Fatalf("line %d: %q, want %q", i, line, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("files: %v, %v", entries, err)
	}
}

// A process and the children that its predecessor left may speak at once.
func TestConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, "agent")
	var done sync.WaitGroup
	for w := range 4 {
		done.Go(func() {
			for i := range 500 {
				fmt.Fprintf(l, "writer %d says %d", w, i)
			}
		})
	}
	done.Wait()
	if n := bytes.Count([]byte(read(t, dir, "agent.log")), []byte("\n")); n != 2000 {
		t.Errorf("%d lines", n)
	}
}

// Where there is no room, lines are lost and counted; later ones come through.
func TestNoRoom(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, "router")
	fill := strings.Repeat("y", logfile.LineMax)
	// A directory in the place of the older lines: the files cannot be exchanged.
	if err := os.MkdirAll(filepath.Join(dir, "router.log.1", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range logfile.Max/logfile.LineMax + 5 {
		if n, err := l.Write([]byte(fill)); n != len(fill) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "router.log.1")); err != nil {
		t.Fatal(err)
	}
	for range 2 * logfile.Max / logfile.LineMax {
		fmt.Fprint(l, "room again")
		if strings.Contains(read(t, dir, "router.log"), "room again") {
			break
		}
	}
	if got := read(t, dir, "router.log"); !strings.Contains(got, "lines lost --\nroom again\n") {
		t.Errorf("log ends %q", got[max(0, len(got)-100):])
	}
	if size := len(read(t, dir, "router.log")); size > logfile.Max {
		t.Errorf("%d bytes", size)
	}
}

// What a box kept at its end is what it has before its first line after it.
func TestKeepAndRestore(t *testing.T) {
	run, kept, next := t.TempDir(), filepath.Join(t.TempDir(), "log"), t.TempDir()
	router, agent := open(t, run, "router"), open(t, run, "agent")
	for i := range 10000 {
		fmt.Fprintf(router, "line %08d", i)
	}
	fmt.Fprint(agent, "short")
	if err := logfile.Keep(run, kept, "reboot\nby console", write); err != nil {
		t.Fatal(err)
	}
	got := read(t, kept, "router.log")
	if len(got) > logfile.KeptMax+100 || !strings.HasSuffix(got, "line 00009999\n-- kept: reboot by console --\n") || !strings.HasPrefix(got, "line ") {
		t.Errorf("kept %d bytes: %q … %q", len(got), got[:20], got[len(got)-60:])
	}
	for range 2 { // the second time nothing is overwritten
		if err := logfile.Restore(kept, next); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, next, "agent.log.1"); got != "short\n-- kept: reboot by console --\n" {
		t.Errorf("restored %q", got)
	}
	fmt.Fprint(open(t, next, "agent"), "new")
	if err := logfile.Keep(next, kept, "again", write); err != nil {
		t.Fatal(err)
	}
	if got := read(t, kept, "agent.log"); got != "short\n-- kept: reboot by console --\nnew\n-- kept: again --\n" {
		t.Errorf("kept over two boots: %q", got)
	}
	if err := logfile.Restore(filepath.Join(next, "nowhere"), next); err != nil {
		t.Errorf("nothing kept: %v", err)
	}
	broken := errors.New("disk full")
	if err := logfile.Keep(run, kept, "x", func(string, []byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a disk that is full: %v", err)
	}
}
