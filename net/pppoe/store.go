package pppoe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"waymark/net/keep"
	"waymark/net/pppoe/disc"
)

// kept is what a process leaves for the next one in case it is killed.
type kept struct {
	Session uint16   `json:"session"` // 0: none is open
	AC      disc.MAC `json:"ac"`
	MTU     int      `json:"mtu"` // of the line before it was raised; 0: it was not
}

// maxKept bounds the file, in bytes.
const maxKept = 4096

// load reads the file; without one nothing was kept.
func load(path string) (k kept, err error) {
	if path == "" {
		return k, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil && info.Size() > maxKept {
		err = fmt.Errorf("%d bytes", info.Size())
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err == nil && (k.MTU < 0 || k.MTU > 65535) {
		err = fmt.Errorf("mtu %d", k.MTU)
	}
	if err != nil {
		return kept{}, fmt.Errorf("read session %s: %w", path, err)
	}
	return k, nil
}

// save replaces the file, or removes it when there is nothing to keep.
func save(path string, k kept) error {
	if path == "" {
		return nil
	}
	if k == (kept{}) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove session: %w", err)
		}
		return nil
	}
	b, err := json.Marshal(k)
	if err == nil {
		err = keep.Exchange(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	return nil
}
