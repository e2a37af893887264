package slot

import (
	"slices"
	"strings"
	"time"
)

// Wanted is what an update must not take away; it is noted before it starts.
type Wanted struct {
	WANs      []string `json:"wans,omitempty"`      // network-interfaces that had an address
	Conductor bool     `json:"conductor,omitempty"` // one was connected
}

// Health is what the running system shows. Progress means recent progress.
type Health struct {
	Init, Router, Lanes bool
	WANs                []string // network-interfaces that have an address
	Conductor           bool     // one is connected
}

// Missing lists what health lacks, in words; empty means healthy. A condition
// without a subject is none.
func (w *Wanted) Missing(h Health) (list []string) {
	add := func(lacks bool, what string) {
		if lacks {
			list = append(list, what)
		}
	}
	add(!h.Init, "init made no progress")
	add(!h.Router, "the router made no progress")
	add(!h.Lanes, "the lanes made no progress")
	for _, wan := range w.WANs {
		add(!slices.Contains(h.WANs, wan), wan+" had an address before and has none")
	}
	add(w.Conductor && !h.Conductor, "the conductor was not reached")
	return list
}

// Verdict is what becomes of a trial.
type Verdict int

// Verdicts.
const (
	Wait   Verdict = iota // go on
	Commit                // healthy for long enough
	GiveUp                // the time is over
)

// Trial is the clock of one boot on trial.
type Trial struct {
	Limit   time.Duration // from boot on
	healthy bool
	since   time.Duration // uptime at which it became healthy
}

// settle is how long health must last: a tenth of the trial. What fails at once
// under its first load must not be committed before.
func (t *Trial) settle() time.Duration { return t.Limit / 10 }

// Step takes what is missing at an uptime and decides.
func (t *Trial) Step(uptime time.Duration, missing []string) (Verdict, string) {
	well := len(missing) == 0
	if well && !t.healthy {
		t.since = uptime
	}
	t.healthy = well
	switch {
	case well && uptime-t.since >= t.settle():
		return Commit, ""
	case uptime >= t.Limit && well:
		return GiveUp, "it was healthy too late"
	case uptime >= t.Limit:
		return GiveUp, strings.Join(missing, "; ")
	}
	return Wait, strings.Join(missing, "; ")
}
