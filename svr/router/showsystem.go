package router

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// initFile is what init of a box tells in the same run directory. A router
// anywhere else has none.
const initFile = "init.json"

// slots is the part of initFile that `show system` repeats.
type slots struct {
	Slot           string `json:"slot"`
	Trial          bool   `json:"trial"`
	LastBootReason string `json:"last-boot-reason"`
	RefusedVersion string `json:"refused-version"`
	RefusedReason  string `json:"refused-reason"`
}

// readSlots reads what init tells; ok is false where there is no init of ours.
func readSlots(dir string) (s slots, ok bool) {
	var f struct {
		Slots slots `json:"slots"`
	}
	b, err := os.ReadFile(filepath.Join(dir, initFile))
	if err != nil || json.Unmarshal(b, &f) != nil {
		return s, false
	}
	return f.Slots, true
}

func (r *Router) showSystem(a *answer) error {
	lanes := "go"
	if r.fast != nil {
		lanes = "bpf, go"
	}
	s, box := readSlots(r.set.RunDir)
	trial := any(nil)
	if box && s.Slot != "" {
		trial = s.Trial
	}
	return a.row(r.tables.RouterName, r.tables.NodeName, "running", version(),
		int64(time.Since(r.started).Seconds()), "combo", len(r.journal.active()),
		r.started.UTC().Truncate(time.Second), r.prof.Name, lanes, pid, orNull(r.why),
		orNull(s.Slot), trial, orNull(s.LastBootReason), orNull(s.RefusedVersion), orNull(s.RefusedReason))
}
