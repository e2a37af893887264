package efivar

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestReadLoader(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadLoader(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without variables: %v", err)
	}
	variable := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name+loader), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	variable("LoaderEntrySelected", "\x06\x00\x00\x00s\x00l\x00o\x00t\x00.\x00E\x00F\x00I\x00\x00\x00")
	variable("LoaderDevicePartUUID", "\x06\x00\x00\x00A\x00B\x00-\x001\x00\x00\x00x\x00")
	if l, err := ReadLoader(dir); err != nil || l != (Loader{"slot.efi", "ab-1"}) {
		t.Errorf("%+v, %v", l, err)
	}
	for _, broken := range []string{"", "\x06\x00\x00\x00", "\x06\x00\x00\x00\x00\x00", "\x06\x00\x00\x00x"} {
		variable("LoaderDevicePartUUID", broken)
		if _, err := ReadLoader(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}
