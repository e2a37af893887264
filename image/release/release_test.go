package release

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)).Public().(ed25519.PublicKey)
	r := &Release{Board: "qemu-x86_64", Version: "1.2.0", Counter: 7, TrialSeconds: 600, Keys: []ed25519.PublicKey{key}}
	text, err := r.Format()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "release.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Read(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for name, r := range map[string]*Release{
		"no board":   {Version: "1", TrialSeconds: 1},
		"no version": {Board: "b", TrialSeconds: 1},
		"no trial":   {Board: "b", Version: "1"},
		"short key":  {Board: "b", Version: "1", TrialSeconds: 1, Keys: []ed25519.PublicKey{{1}}},
	} {
		if _, err := r.Format(); !errors.Is(err, ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "{", `{"board":"b"}`, `{"board":"b","version":"1","trial-seconds":1,"update-keys":["AA=="]}`} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrRelease) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
