package console_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/mgmt/console"
	"waymark/mgmt/console/cli"
)

// unpack returns the files of a report.
func unpack(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(b)
	}
}

// A report has everything but secrets, wherever those stand: in what runs, what
// ran, what is edited, and in the words of processes.
func TestTechSupport(t *testing.T) {
	dir, run := t.TempDir(), t.TempDir()
	fakeRouter(t, run, tables)
	text := func(key string) *config.Draft {
		d, err := config.ReadText("config authority name a\nconfig authority security s encryption-key " + key)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	old, now, next := strings.Repeat("0badcafe", 4), strings.Repeat("feedface", 4), strings.Repeat("deadbeef", 4)
	file := filepath.Join(dir, "running.json")
	if err := os.WriteFile(file, text(old).JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	st := life.Open(file)
	if err := errors.Join(st.Commit(text(now), 0, "test"), st.KeepCandidate(text(next))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(run, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	noise := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16) // a megabyte
	for name, data := range map[string]string{
		"log/router.log": string(noise) + "key " + now + " and " + strings.ToUpper(old) + "\n", "events.jsonl": `{"message":"` + next + `"}`, "secret.txt": "not asked for",
	} {
		if err := os.WriteFile(filepath.Join(run, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err := console.Execute(t.Context(), &out, "save tech-support", console.Options{Run: run, Config: file, Level: cli.Admin})
	if err != nil || !strings.Contains(out.String(), "tech-support.tar.gz") {
		t.Fatalf("%v, %s", err, out.String())
	}
	name := filepath.Join(run, "tech-support.tar.gz")
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", st.Mode(), err)
	}
	files := unpack(t, name)
	for n, data := range files {
		low := strings.ToLower(data)
		if slices.ContainsFunc([]string{old, now, next}, func(s string) bool { return strings.Contains(low, s) }) {
			t.Errorf("%s has a secret", n)
		}
		if len(data) > 513<<10 {
			t.Errorf("%s has %d bytes", n, len(data))
		}
	}
	for n, want := range map[string]string{"config/running.txt": "(removed)", "config/candidate.txt": "(removed)", "show/peers.txt": "hub1", "run/log/router.log": "key (removed) and (removed)",
		"run/events.jsonl": "(removed)", "system/meminfo": "MemTotal", "missed.txt": "show fib"} {
		if !strings.Contains(files["tech-support/"+n], want) {
			t.Errorf("%s lacks %q", n, want)
		}
	}
	if files["tech-support/run/secret.txt"] != "" {
		t.Error("a file that nobody asked for")
	}
	if err := console.Execute(t.Context(), &out, "save tech-support", console.Options{Run: run, Config: file}); !errors.Is(err, cli.ErrLevel) {
		t.Errorf("an operator: %v", err)
	}
}
