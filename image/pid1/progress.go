package pid1

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"waymark/svr/router/ctl"
)

// Progress is what a router answers who makes some (`show progress`).
type Progress struct {
	Forwarding bool     `json:"forwarding"`
	WAN        []string `json:"wan-up"`
	Fast       *uint64  `json:"fast-packets"` // of the lane in the kernel; nil without
}

// progress is what was told of it since the start.
type progress struct {
	wan, forwarding bool
	fast            uint64
	wans            []string      // with an address, as last heard
	at              time.Duration // of the last answer
	good            int           // answers in a row that were as health wants them
}

// Between two questions: while the box comes up, and later.
const (
	askSoon = 50 * time.Millisecond
	askLate = 2 * time.Second
	// goodAnswers in a row are health.
	goodAnswers = 3
)

// askForProgress asks the router for as long as the box lives. A router that does
// not answer owes us that, which the judge counts.
func (i *Init) askForProgress() {
	pause := askSoon
	for {
		select {
		case <-i.hurry:
			pause = askSoon
		case <-time.After(pause):
		}
		var p Progress
		_, err := ctl.Ask(RunDir, ctl.Request{Show: "progress"}, func(row json.RawMessage) error { return json.Unmarshal(row, &p) })
		if err != nil {
			continue
		}
		if p.Forwarding {
			pause = askLate
		}
		i.post(func() { i.progressed(p) })
	}
}

// ask makes the next question come at once.
func (i *Init) ask() {
	select {
	case i.hurry <- struct{}{}:
	default:
	}
}

// progressed notes one answer and reports what is new.
func (i *Init) progressed(p Progress) {
	i.judge.Progress(routerLife.Name, now())
	was := &i.progress
	was.at, was.wans = now(), p.WAN
	if len(p.WAN) > 0 && !was.wan {
		i.tell(report{"event": "wan-up", "wan": p.WAN})
	}
	if p.Forwarding && !was.forwarding {
		i.tell(report{"event": "forwarding"})
	}
	was.wan, was.forwarding = len(p.WAN) > 0, p.Forwarding
	if p.Fast != nil && *p.Fast != was.fast {
		was.fast = *p.Fast
		i.tell(report{"event": "fast-lane", "packets": was.fast})
	}
	if !p.Forwarding {
		was.good = 0
		return
	}
	if was.good++; was.good == goodAnswers {
		i.nowHealthy()
	}
}

// nowHealthy is told once per boot: init, router and lanes made progress.
// Whether an update is kept is another question (slots).
func (i *Init) nowHealthy() {
	if i.healthy {
		return
	}
	i.healthy = true
	i.tell(report{"event": "healthy"})
	i.saved()
}

// writeState replaces StateFile.
func writeState(s State) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(RunDir, StateFile), append(b, '\n'), 0o644)
}

func join(names []string) string { return strings.Join(names, ", ") }
