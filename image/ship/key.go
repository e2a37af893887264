package ship

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"waymark/image/bundle"
)

// ReadKey reads the key that signs bundles.
func ReadKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	k, err := bundle.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return k, nil
}

// ThrowawayKey reads the key in path, and makes it first if there is none: for
// images that no real box will be asked to trust. random is crypto/rand.
func ThrowawayKey(path string, random io.Reader) (k ed25519.PrivateKey, made bool, err error) {
	k, err = ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	if _, k, err = ed25519.GenerateKey(random); err != nil {
		return nil, false, err
	}
	text, err := bundle.FormatKey(k)
	if err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, err
	}
	return k, true, os.WriteFile(path, text, 0o600)
}
