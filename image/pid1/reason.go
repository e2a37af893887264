package pid1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"waymark/net/keep"
)

// Reason is why the box started.
type Reason struct {
	Why    string    `json:"why"` // one of the constants below
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at,omitzero"` // wall time when it was written down
}

// Why a box starts.
const (
	WhyPower    = "power-on"
	WhyReboot   = "reboot"   // somebody ordered it
	WhyWatchdog = "watchdog" // it was not fed any more
	WhyPanic    = "panic"    // init could not go on
	WhyKernel   = "kernel-panic"
)

// String is for people.
func (r Reason) String() string {
	if r.Detail == "" {
		return r.Why
	}
	return r.Why + " (" + r.Detail + ")"
}

// judgeReason puts together what the last words on the data partition (nil:
// none), the watchdog and the kernel's records say. Words that told of a watchdog
// about to bite count only if it did, where the hardware can tell.
func judgeReason(words *Reason, bitten bool, kernel string) Reason {
	switch {
	case kernel != "":
		return Reason{Why: WhyKernel, Detail: kernel}
	case words != nil:
		return *words
	case bitten:
		return Reason{Why: WhyWatchdog}
	}
	return Reason{Why: WhyPower}
}

// learnReason finds out why we started, and forgets it on disk.
func (i *Init) learnReason() {
	i.reason = judgeReason(i.data.takeWords(), i.dog != nil && i.dog.bitten, crashRecords("/sys/fs/pstore", i.data.dir("log")))
	i.log.Info("started", "because", i.reason.String())
}

// lastWords writes down why the box will start again, if it does.
func (i *Init) lastWords(why, detail string) {
	if err := i.data.writeWords(Reason{why, detail, time.Now().UTC()}); err != nil {
		i.log.Error("cannot write last words", "error", err)
	}
}

const wordsFile = "last-words.json"

// takeWords reads and removes the last words of the boot before.
func (d *data) takeWords() *Reason {
	if d == nil {
		return nil
	}
	name := filepath.Join(d.dir("state"), wordsFile)
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	_ = os.Remove(name) // at worst the same words again
	var r Reason
	if json.Unmarshal(b, &r) != nil || r.Why == "" {
		return nil
	}
	return &r
}

func (d *data) writeWords(r Reason) error {
	if d == nil {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.put(filepath.Join("state", wordsFile), b)
}

// dropWords takes back words that did not come true.
func (d *data) dropWords() error {
	if d == nil {
		return nil
	}
	err := os.Remove(filepath.Join(d.dir("state"), wordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// put replaces a file of the data partition: after a cut it is the old or the new.
func (d *data) put(name string, b []byte) error {
	path := filepath.Join(d.root, name)
	if err := keep.Replace(path, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
