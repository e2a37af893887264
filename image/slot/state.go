package slot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"waymark/net/keep"
)

// State is what the box remembers of updates.
type State struct {
	// Floor is the highest counter that was committed: nothing below is taken.
	Floor uint64 `json:"floor"`
	// Pending is the update that was activated and is not yet settled.
	Pending *Pending `json:"pending,omitempty"`
	// Refused is the update that failed last.
	Refused *Refused `json:"refused,omitempty"`
	// Leaving is why the system that ran last meant to reboot.
	Leaving string `json:"leaving,omitempty"`
}

// Pending is an update on its way.
type Pending struct {
	Slot         string `json:"slot"` // name without counter
	Version      string `json:"version"`
	Counter      uint64 `json:"counter"`
	TrialSeconds int    `json:"trial-seconds"`
	Wanted
	Boots int `json:"boots"` // how often its init has started
	// Note is the last thing that is known of the trial.
	Note string `json:"note,omitempty"`
}

// Refused is an update that failed its trial.
type Refused struct {
	Slot    string `json:"slot"`    // name without counter
	Version string `json:"version"` // "" if the record was lost
	Counter uint64 `json:"counter"`
	Reason  string `json:"reason"`
}

// Store keeps the state.
type Store interface {
	// Load returns the state. What cannot be read is an empty state, and why.
	Load() (State, error)
	// Save replaces the state: after a cut there is the old one or the new one.
	Save(State) error
}

// Dir is a Store in a folder of the data partition.
type Dir string

const stateFile = "update.json"

// Load implements Store. A file that is not there is an empty state.
func (d Dir) Load() (s State, err error) {
	text, err := os.ReadFile(filepath.Join(string(d), stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return State{}, fmt.Errorf("read update state: %w", err)
	}
	return s, nil
}

// Save implements Store: a new file, on the disk before it gets the name.
func (d Dir) Save(s State) error {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("encode update state: %w", err)
	}
	if err := d.replace(append(text, '\n')); err != nil {
		return fmt.Errorf("save update state: %w", err)
	}
	return nil
}

func (d Dir) replace(text []byte) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	return keep.Replace(filepath.Join(string(d), stateFile), text, 0o600)
}
