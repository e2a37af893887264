package eventfile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

func record(n int) event.Record {
	return event.Record{ID: "n.r:" + itoa(n), Message: strings.Repeat("x", 1000)}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestEventFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "events.jsonl")
	f, last, err := eventfile.Open(name)
	if err != nil || last != 0 {
		t.Fatalf("empty directory: last %d, %v", last, err)
	}
	for n := range 1500 {
		if err := f.Append(record(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{name, name + eventfile.OldSuffix} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > eventfile.Max || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// A killed router left half a line.
	half, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = half.WriteString(`{"id":"n.r:99`); err != nil {
		t.Fatal(err)
	}
	half.Close()
	f, last, err = eventfile.Open(name)
	if err != nil || last != 1500 {
		t.Fatalf("after a kill: last %d, %v, want 1500", last, err)
	}
	if err := f.Append(record(1501)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got := eventfile.Last(name); got != 1501 {
		t.Errorf("line behind a cut one: last %d, want 1501", got)
	}
}
