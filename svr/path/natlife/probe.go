package natlife

const (
	openings = 3 // tries to open a binding
	// Each question is put twice, so that one lost packet decides nothing.
	questions = 2
	apart     = Unit
)

// probe is one source port of a round.
type probe struct {
	wait     int64 // 0: unused
	used     int64 // when something left by the port last
	tries    uint8 // openings
	answered bool  // the opening was
	asks     uint8 // questions
	done     bool
	lived    bool
	open     bool // the port is
	stale    bool // the port is that of a probe before, close it first
}

// drop ends a probe. Its port is still to be closed.
func (p *probe) drop() { *p = probe{open: p.open, stale: p.open} }

// next is when the probe has a step.
func (p *probe) next() int64 {
	switch {
	case p.open && (p.stale || p.done):
		return 0
	case p.wait == 0 || p.done:
		return never
	case p.tries == 0:
		return 0
	case p.asks == 0:
		return p.used + warm
	case p.asks < questions:
		return p.used + apart
	}
	return p.used + p.wait + grace
}

// step returns what is due.
func (p *probe) step(now int64) (s Step, ok bool) {
	if now < p.next() {
		return s, false
	}
	switch {
	case p.stale || p.done:
		p.open, p.stale = false, false
		return Step{}, true
	case p.asks == 0 && !p.answered:
		if p.done = p.tries == openings; p.done {
			p.open = false
			return Step{}, true
		}
		p.open = true
		p.tries++
	case p.asks < questions:
		p.asks++
		s.Delay = p.wait
	default:
		p.done, p.open = true, false
		return Step{}, true
	}
	p.used, s.Ask = now, true
	return s, true
}

// answer takes an answer; delay 0 is that of an opening.
func (p *probe) answer(delay int64) {
	switch {
	case p.wait == 0 || p.done:
	case delay == 0:
		p.answered = true
	case p.asks > 0 && delay == p.wait:
		p.done, p.lived = true, true
	}
}
