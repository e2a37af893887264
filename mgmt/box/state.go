// Package box is the contract between init and the other processes of a box:
// what init tells in RUN/init.json, and what it does when it is asked on
// RUN/init.sock. Init alone writes and serves both. What the agent tells of use
// is here too, for whoever shows it.
package box

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waymark/mgmt/file"
)

// Names in the run directory.
const (
	StateFile = "init.json"
	Socket    = "init.sock"
)

// State is StateFile. Empty fields are unknown, or do not apply.
type State struct {
	Version string    `json:"version"`            // of the image
	Board   string    `json:"board"`              // "qemu-x86_64"
	AssetID string    `json:"asset-id,omitempty"` // as the agent tells it to conductors
	Started time.Time `json:"started"`            // of the boot, UTC
	// LastBootReason says why the box started: "power-on", "reboot: TEXT",
	// "watchdog: TEXT", "panic: TEXT", or what became of an update.
	LastBootReason string `json:"last-boot-reason"`

	Slot           string `json:"slot,omitempty"` // slot that runs, "a"
	Trial          bool   `json:"trial"`          // the slot is not committed yet
	RefusedVersion string `json:"refused-version,omitempty"`
	RefusedReason  string `json:"refused-reason,omitempty"`

	Counter  uint64 `json:"counter"`            // of the image
	Healthy  bool   `json:"healthy"`            // everything came up that should
	Data     string `json:"data,omitempty"`     // device of the data partition
	Watchdog string `json:"watchdog,omitempty"` // that is fed

	Clock     Clock     `json:"clock"`
	Processes []Process `json:"processes"`
}

// Clock is where the time comes from.
type Clock struct {
	Source string `json:"source"`           // "build", "saved", "rtc", "ntp"
	Server string `json:"server,omitempty"` // of ntp
	Synced bool   `json:"synced"`
}

// Process is a process that init supervises.
type Process struct {
	Name     string `json:"name"`   // "router"
	State    string `json:"state"`  // "running", "waiting", "disabled", "crash-loop"
	Starts   int    `json:"starts"` // since boot
	LastExit string `json:"last-exit,omitempty"`
}

// Read reads the state of a run directory. fs.ErrNotExist: no init of ours runs
// there.
func Read(run string) (*State, error) {
	b, err := os.ReadFile(filepath.Join(run, StateFile))
	if err != nil {
		return nil, fmt.Errorf("read init's state: %w", err)
	}
	s := &State{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read init's state: %w", err)
	}
	return s, nil
}

// Write replaces the state of a run directory.
func Write(run string, s *State) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write init's state: %w", err)
	}
	if err := file.Replace(filepath.Join(run, StateFile), append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write init's state: %w", err)
	}
	return nil
}
