package pid1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// resetFile asks for a factory reset: while it lies on the data partition, nobody
// uses that before everything else on it is gone. It holds the Reason.
const resetFile = "factory-reset.json"

// remains is what a factory reset leaves on the data partition: what is known of
// slots and updates, or the box could be made to take an older image.
var remains = []string{"update", "lost+found", resetFile}

// askReset has the next finishReset forget everything, whatever happens before:
// the services are still there, and write while they stop.
func (d *data) askReset(r Reason) error {
	if d == nil {
		return nil // nothing lasts anyway
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.put(resetFile, b)
}

// resetAsked tells whether a factory reset is to be finished.
func (d *data) resetAsked() bool {
	if d == nil {
		return false
	}
	_, err := os.Lstat(filepath.Join(d.root, resetFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// finishReset does what was asked, if it was. Power may go at any moment: until
// the last step the request is still there, and every step may be done twice.
func (d *data) finishReset() error {
	if !d.resetAsked() {
		return nil
	}
	request := filepath.Join(d.root, resetFile)
	r := Reason{Why: WhyReboot, Detail: "factory-reset", At: time.Now().UTC()}
	if b, err := os.ReadFile(request); err == nil {
		_ = json.Unmarshal(b, &r) // damaged: as above
	}
	entries, err := os.ReadDir(d.root)
	if err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	for _, e := range entries {
		if slices.Contains(remains, e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.root, e.Name())); err != nil {
			return fmt.Errorf("factory reset: %w", err)
		}
	}
	d.dir("state")
	if err := d.writeWords(r); err != nil { // its sync covers what was removed before
		return fmt.Errorf("factory reset: %w", err)
	}
	if err := errors.Join(syncDir(d.root), os.Remove(request), syncDir(d.root)); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	return nil
}

// syncDir makes what was done to the entries of a directory last.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
