package router

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadSlots(t *testing.T) {
	dir := t.TempDir()
	if _, ok := readSlots(dir); ok {
		t.Error("slots without an init")
	}
	for text, want := range map[string]slots{
		`{"board":"b","slots":{"slot":"b","trial":true,"last-boot-reason":"update to 2","refused-version":"1","refused-reason":"no WAN"}}`: {"b", true, "update to 2", "1", "no WAN"},
		`{"board":"b"}`: {},
	} {
		if err := os.WriteFile(filepath.Join(dir, initFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := readSlots(dir); !ok || got != want {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, initFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := readSlots(dir); ok {
		t.Error("slots of a broken file")
	}
}
