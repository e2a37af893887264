package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
)

// Bounds of what a reader takes. They are far above what a box uses and keep a
// wrong length from costing memory.
const (
	MaxManifest = 64 << 10 // bytes of JSON
	MaxFiles    = 16
	MaxFile     = 512 << 20 // bytes of one file
	MaxTrial    = 24 * 3600 // seconds
)

// ErrManifest: the manifest is signed but makes no sense.
var ErrManifest = errors.New("the manifest is not valid")

// File is one file of a bundle.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // lower-case hexadecimal
}

// Manifest says what a bundle is and what is in it.
type Manifest struct {
	Board   string `json:"board"`
	Version string `json:"version"`
	// Counter only rises: a box refuses one below that of any version it has committed.
	Counter      uint64 `json:"counter"`
	TrialSeconds int    `json:"trial-seconds"` // how long the trial may take to prove health
	Files        []File `json:"files"`
}

var (
	wordForm = form(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$`)
	fileForm = form(`^[a-z0-9][a-z0-9_-]{0,31}(\.[a-z0-9]{1,8}){0,2}$`)
)

// form compiles an expression when it is first needed: most processes of a box never
// see a bundle, and compiled it is large.
func form(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// Check tells what is wrong with the manifest; the error is ErrManifest.
func (m *Manifest) Check() error {
	switch {
	case !wordForm().MatchString(m.Board):
		return fmt.Errorf("%w: board %.70q is no name", ErrManifest, m.Board)
	case !wordForm().MatchString(m.Version):
		return fmt.Errorf("%w: version %.70q is no version", ErrManifest, m.Version)
	case m.TrialSeconds < 1 || m.TrialSeconds > MaxTrial:
		return fmt.Errorf("%w: trial-seconds %d, want 1 to %d", ErrManifest, m.TrialSeconds, MaxTrial)
	case len(m.Files) == 0 || len(m.Files) > MaxFiles:
		return fmt.Errorf("%w: %d files, want 1 to %d", ErrManifest, len(m.Files), MaxFiles)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if err := f.check(); err != nil {
			return err
		}
		if seen[f.Name] {
			return fmt.Errorf("%w: two files are called %s", ErrManifest, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func (f *File) check() error {
	digest, err := hex.DecodeString(f.SHA256)
	switch {
	case !fileForm().MatchString(f.Name):
		return fmt.Errorf("%w: %.70q is no name of a file", ErrManifest, f.Name)
	case f.Size < 1 || f.Size > MaxFile:
		return fmt.Errorf("%w: %s has %d bytes, want 1 to %d", ErrManifest, f.Name, f.Size, MaxFile)
	case err != nil || len(digest) != 32 || hex.EncodeToString(digest) != f.SHA256:
		return fmt.Errorf("%w: sha256 of %s is not 64 lower-case hexadecimal digits", ErrManifest, f.Name)
	}
	return nil
}

// parseManifest reads the JSON strictly: a field that we do not know could be a
// condition that we would break.
func parseManifest(text []byte) (*Manifest, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", ErrManifest)
	}
	return m, m.Check()
}
