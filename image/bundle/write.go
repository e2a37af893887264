package bundle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// Content is a file that goes into a bundle. It is read twice: for the hash, and
// to be copied.
type Content struct {
	Name string
	Data io.ReadSeeker
}

// Write makes a bundle of the files. Files of m is filled in; everything else
// is the caller's. The same input gives the same bytes.
func Write(w io.Writer, key ed25519.PrivateKey, m *Manifest, files ...Content) error {
	m.Files = nil
	for _, c := range files {
		f, err := c.describe()
		if err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	head, err := Head(key, m)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	for i, c := range files {
		if n, err := io.Copy(w, c.Data); err != nil {
			return fmt.Errorf("write %s into bundle: %w", c.Name, err)
		} else if n != m.Files[i].Size {
			return fmt.Errorf("write %s into bundle: it changed while it was read", c.Name)
		}
	}
	return nil
}

// Head is everything of a bundle before its files: what the key signs and the
// signature.
func Head(key ed25519.PrivateKey, m *Manifest) ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	if len(text) > MaxManifest {
		return nil, ErrTooLong
	}
	return sign(key, text), nil
}

// sign puts magic and length before the manifest and the signature after it.
func sign(key ed25519.PrivateKey, manifest []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte(Magic), uint32(len(manifest)))
	b = append(b, manifest...)
	return append(b, ed25519.Sign(key, b)...)
}

// describe reads the content once and rewinds it.
func (c *Content) describe() (File, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, c.Data)
	if err == nil {
		_, err = c.Data.Seek(0, io.SeekStart)
	}
	if err != nil {
		return File{}, fmt.Errorf("hash %s: %w", c.Name, err)
	}
	return File{Name: c.Name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}
