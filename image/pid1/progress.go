package pid1

import (
	"encoding/json"
	"strings"
	"time"

	"waymark/svr/router/ctl"
)

// Progress is what a router answers who makes some (`show progress`).
type Progress struct {
	Forwarding bool     `json:"forwarding"`
	WAN        []string `json:"wan-up"`
	Fast       *uint64  `json:"fast-packets"` // of the lane in the kernel; nil without
	Router     bool     `json:"router"`       // the reconciler came round
	Lane       bool     `json:"lane"`         // and so did the service lane
	FastLane   *bool    `json:"fast-lane"`    // the kernel's is on its devices; nil: there is none
}

// lanes tells whether those that there are make progress.
func (p *Progress) lanes() bool { return p.Lane && (p.FastLane == nil || *p.FastLane) }

// progress is what was told of it since the start.
type progress struct {
	wan, forwarding bool
	fast            uint64
	wans            []string      // with an address, as last heard
	at, lanesAt     time.Duration // when router and lanes made progress last
	good            int           // answers in a row that were as health wants them
}

// Between two questions: while the router opens its socket, of which we hear; while
// the box comes up, and later.
const (
	askDeaf = 250 * time.Millisecond
	askSoon = 50 * time.Millisecond
	askLate = 2 * time.Second
	// goodAnswers in a row are health.
	goodAnswers = 3
)

// askForProgress asks the router for as long as the box lives. A router that does
// not answer owes us that, which the judge counts.
func (i *Init) askForProgress() {
	deaf := askDeaf
	open, err := opened(RunDir, i.spawn)
	if err != nil {
		i.log.Warn("ask the router again and again", "error", err)
		deaf = askSoon
	}
	pause := deaf
	for {
		select {
		case <-i.hurry:
			pause = deaf
		case <-open:
		case <-time.After(pause):
		}
		var p Progress
		_, err := ctl.Ask(RunDir, ctl.Request{Show: "progress"}, func(row json.RawMessage) error { return json.Unmarshal(row, &p) })
		if err != nil {
			continue
		}
		switch {
		case p.Forwarding:
			pause = askLate
		case pause == deaf:
			pause = askSoon
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
	was := &i.progress
	was.wans = p.WAN
	if p.Router {
		was.at = now()
		i.judge.Progress(routerLife.Name, now())
	}
	if p.lanes() {
		was.lanesAt = now()
	}
	i.judgeLanes(p)
	if len(p.WAN) > 0 && !was.wan {
		i.tell(report{"event": "wan-up", "wan": p.WAN})
		if i.routerConfig() == "" { // it will not forward, and waits for its conductor
			i.hasten()
		}
	}
	if p.Forwarding && !was.forwarding {
		i.tell(report{"event": "forwarding"})
	}
	was.wan, was.forwarding = len(p.WAN) > 0, p.Forwarding
	if p.Fast != nil && *p.Fast != was.fast {
		was.fast = *p.Fast
		i.tell(report{"event": "fast-lane", "packets": was.fast})
	}
	if !p.Forwarding || !p.Router || !p.lanes() {
		was.good = 0
		return
	}
	if was.good++; was.good == goodAnswers {
		i.nowHealthy()
	}
}

// judgeLanes notes which lanes made progress. The kernel's is watched as soon as
// there is one.
func (i *Init) judgeLanes(p Progress) {
	if p.Lane {
		i.judge.Progress(serviceLane, now())
	}
	if p.FastLane == nil {
		return
	}
	if i.judge.Expected(routerLife.Name) && !i.judge.Expected(fastLane) {
		i.judge.Expect(fastLane, lanePulse, now())
	}
	if *p.FastLane {
		i.judge.Progress(fastLane, now())
	}
}

// nowHealthy is told once per boot: init, router and lanes made progress.
// Whether an update is kept is another question (slots).
func (i *Init) nowHealthy() {
	if i.healthy {
		return
	}
	i.healthy = true
	i.hasten()
	i.tell(report{"event": "healthy"})
	i.saved()
}

// hasten starts what waits for the box to come up.
func (i *Init) hasten() {
	for _, s := range i.services {
		s.Hasten(now())
	}
}

func join(names []string) string { return strings.Join(names, ", ") }
