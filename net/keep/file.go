package keep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// maxFile bounds what a File may hold, in bytes.
const maxFile = 256 << 10

// File is a JSON file of one writer, which is written when its contents change.
type File struct {
	Path string
	last []byte
}

// Load reads the file into what into points to; without one nothing changes.
func (f *File) Load(into any) error {
	b, err := Read(f.Path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	f.last = b
	return nil
}

// Save writes contents that differ from the last ones. An empty object makes no
// file.
func (f *File) Save(b []byte) error {
	if bytes.Equal(b, f.last) || f.last == nil && string(b) == "{}\n" {
		return nil
	}
	if err := Replace(f.Path, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	f.last = b
	return nil
}
