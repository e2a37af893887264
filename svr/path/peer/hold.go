package peer

const second = int64(1e9)

// Verdict is what sessions are told of a path.
type Verdict uint8

// The verdicts.
const (
	Initializing Verdict = iota // not up since the start
	Up
	Restarting // the peer restarts: sessions stay, new ones avoid it
	HeldDown   // BFD is up, the hold-down time runs
	Down
	NoAnswer // as Initializing, for longer than anyone should wait
)

// String names the verdict.
func (v Verdict) String() string {
	return [...]string{"initializing", "up", "restarting", "hold-down", "down", "no-answer"}[v%6]
}

// RestartTime is how long a peer may take to come back, in ns (docs/bfd.md).
const RestartTime = 3 * second

// maxRuns is how often in a row the longest hold-down may be served before it
// begins anew.
const maxRuns = 3

// HoldConfig holds the leaves that damp a path.
type HoldConfig struct {
	Down    int64 // hold-down-time, ns
	Max     int64 // maximum-hold-down-time
	Damping bool  // dynamic-damping: double it per flap
}

// hold turns the state of BFD into a verdict.
type hold struct {
	cfg     HoldConfig
	verdict Verdict
	until   int64 // end of restarting or hold-down, 0: none
	since   int64 // of the verdict
	time    int64 // hold-down that the next flap costs
	runs    int   // how often in a row it was the longest
	flaps   uint32
	data    bool // restarting only as long as session packets come
}

func newHold(cfg HoldConfig, now int64) hold {
	return hold{cfg: cfg, since: now, time: cfg.Down, until: now + RestartTime}
}

func (h *hold) set(v Verdict, now, until int64) {
	if v != h.verdict {
		h.since = now
	}
	h.verdict, h.until = v, until
}

// up: BFD came up.
func (h *hold) up(now int64) {
	switch h.verdict {
	case Initializing, NoAnswer, Restarting:
		h.set(Up, now, 0)
	case Down:
		h.set(HeldDown, now, now+h.time)
	}
}

// restart: the peer restarts. data: believe it only while session packets come.
func (h *hold) restart(data bool, now int64) {
	if h.verdict == Up {
		h.set(Restarting, now, now+RestartTime)
		h.data = data
		return
	}
	if h.verdict != Restarting {
		h.down(now)
	}
}

// revive: a path that did not answer does again, so soon that nothing is to be
// waited for.
func (h *hold) revive(now int64) {
	if h.verdict == Down || h.verdict == Restarting {
		h.set(Up, now, 0)
	}
}

// down: BFD went down.
func (h *hold) down(now int64) {
	switch h.verdict {
	case Up, Restarting:
		h.flap(now)
	case HeldDown:
		h.lengthen()
	case Initializing, NoAnswer, Down:
		return
	}
	h.set(Down, now, 0)
}

// flap prices the hold-down that follows: a time up of twice the last price
// halves it.
func (h *hold) flap(now int64) {
	h.flaps++
	if !h.cfg.Damping {
		h.time = h.cfg.Down
		return
	}
	quiet := now - h.since
	if h.flaps > 1 && quiet < 2*h.time {
		h.lengthen()
		return
	}
	for ; quiet >= 2*h.time && h.time > h.cfg.Down; quiet -= 2 * h.time {
		h.time = max(h.time/2, h.cfg.Down)
	}
	h.runs = 0
}

func (h *hold) lengthen() {
	if !h.cfg.Damping {
		return
	}
	if h.time >= h.cfg.Max {
		if h.runs++; h.runs >= maxRuns {
			h.time, h.runs = h.cfg.Down, 0
		}
		return
	}
	h.time = min(2*h.time, h.cfg.Max)
}

// advance ends what has a time. talking: session packets of the peer came
// lately.
func (h *hold) advance(now int64, talking func() bool) {
	switch h.verdict {
	case Initializing:
		if now >= h.until {
			h.set(NoAnswer, now, 0)
		}
	case HeldDown:
		if now >= h.until {
			h.set(Up, now, 0)
		}
	case Restarting:
		if now >= h.until || h.data && !talking() {
			h.down(now)
		}
	}
}

// restartCheck is how often data is looked for while a peer restarts.
const restartCheck = second / 4

func (h *hold) next(now int64) int64 {
	switch h.verdict {
	case HeldDown, Initializing:
		return h.until
	case Restarting:
		if h.data {
			return min(h.until, now+restartCheck)
		}
		return h.until
	}
	return never
}
