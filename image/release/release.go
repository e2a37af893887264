// Package release is what an image knows of itself: a file that is built into
// its initramfs, so that it needs no data partition to know what it may become.
package release

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"waymark/image/bundle"
)

// Path is where the file lies in the initramfs.
const Path = "/etc/waymark/release.json"

// ErrRelease: the file is not what mkimage writes.
var ErrRelease = errors.New("release file is not valid")

// Release describes an image.
type Release struct {
	Board        string `json:"board"`
	Version      string `json:"version"`
	Counter      uint64 `json:"counter"`       // as in a bundle's manifest
	TrialSeconds int    `json:"trial-seconds"` // the same
	// Keys are those whose bundles the image takes, raw public keys of ed25519.
	Keys []ed25519.PublicKey `json:"update-keys"`
}

// Format is the file's content.
func (r *Release) Format() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("encode release: %w", err)
	}
	return append(b, '\n'), nil
}

// check holds the same bounds as a manifest, so that any image fits into a bundle.
func (r *Release) check() error {
	m := bundle.Manifest{Board: r.Board, Version: r.Version, Counter: r.Counter, TrialSeconds: r.TrialSeconds,
		Files: []bundle.File{{Name: "slot", Size: 1, SHA256: noHash}}}
	if err := m.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrRelease, err)
	}
	for _, k := range r.Keys {
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: a key has %d bytes", ErrRelease, len(k))
		}
	}
	return nil
}

const noHash = "0000000000000000000000000000000000000000000000000000000000000000"

// Parse reads the file's content.
func Parse(text []byte) (*Release, error) {
	r := new(Release)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRelease, err)
	}
	return r, r.check()
}

// Read reads the file, Path on a box.
func Read(path string) (*Release, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read release: %w", err)
	}
	return Parse(text)
}
