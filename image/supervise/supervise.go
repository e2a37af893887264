// Package supervise decides when a service is started again. It is pure: time is
// passed in as monotonic time since boot, processes are the caller's.
//
// An end after less than MinUptime is an early one. Early ends in a row make the
// pauses longer; more than Retries of them are a crash loop: the caller raises an
// alarm, the service rests, everything else runs on.
package supervise

import "time"

// Spec is how one service is kept alive.
type Spec struct {
	Name      string
	MinUptime time.Duration
	Delay     time.Duration // before the first start anew; doubles per early end
	MaxDelay  time.Duration
	Retries   int           // early ends in a row that are mended
	Rest      time.Duration // of a crash loop, then it is tried once more; 0: for ever
}

// Phase of a service.
type Phase string

// The phases.
const (
	Waiting  Phase = "waiting" // for its next start
	Running  Phase = "running"
	Looping  Phase = "crash-loop" // rests after too many early ends
	Disabled Phase = "disabled"   // there is nothing to start
)

// Change is what the caller has to tell.
type Change int

// The changes.
const (
	Nothing  Change = iota
	LoopOver        // the alarm of a crash loop is over
	LoopSeen        // a crash loop began: raise the alarm
)

// Service is one service's life so far. One goroutine.
type Service struct {
	Spec
	phase  Phase
	at     time.Duration // start of this phase; of Waiting and Looping its end
	early  int           // early ends in a row
	loop   bool          // the alarm is on
	starts int
	last   string // how it ended last
}

// New returns a service that is due now.
func New(spec Spec, now time.Duration) *Service {
	return &Service{Spec: spec, phase: Waiting, at: now}
}

// Disable stops starting it; the process that runs, if any, is the caller's.
func (s *Service) Disable() { s.phase = Disabled }

// Enable makes a disabled service due.
func (s *Service) Enable(now time.Duration) {
	if s.phase == Disabled {
		s.phase, s.at, s.early = Waiting, now, 0
	}
}

// Hasten makes the first start due, which was to wait.
func (s *Service) Hasten(now time.Duration) {
	if s.phase == Waiting && s.starts == 0 {
		s.at = min(s.at, now)
	}
}

// Wake says when Due or Steady will have something new to say, false for never.
func (s *Service) Wake() (at time.Duration, ok bool) {
	switch s.phase {
	case Waiting:
		return s.at, true
	case Looping:
		return s.at, s.Rest > 0
	case Running:
		return s.at + s.MinUptime, s.early > 0
	}
	return 0, false
}

// Due says whether it is to be started now.
func (s *Service) Due(now time.Duration) bool {
	switch s.phase {
	case Waiting:
		return now >= s.at
	case Looping:
		return s.Rest > 0 && now >= s.at
	}
	return false
}

// Started notes that a process runs.
func (s *Service) Started(now time.Duration) {
	s.phase, s.at = Running, now
	s.starts++
}

// Steady notes a run that has lasted: what was before does not count any more.
func (s *Service) Steady(now time.Duration) Change {
	if s.phase != Running || now-s.at < s.MinUptime {
		return Nothing
	}
	s.early = 0
	if s.loop {
		s.loop = false
		return LoopOver
	}
	return Nothing
}

// Ended notes that the process ended, or could not be started: how is for
// operators.
func (s *Service) Ended(now time.Duration, how string) Change {
	s.last = how
	if s.phase == Disabled {
		return Nothing
	}
	over := Nothing
	if s.phase == Running {
		over = s.Steady(now)
	}
	if s.phase == Running && now-s.at >= s.MinUptime {
		s.phase, s.at = Waiting, now+s.Delay
		return over
	}
	s.early++
	if s.early > s.Retries {
		s.phase, s.at = Looping, now+s.Rest
		if s.loop {
			return Nothing
		}
		s.loop = true
		return LoopSeen
	}
	s.phase, s.at = Waiting, now+s.pause()
	return Nothing
}

// pause before the next start.
func (s *Service) pause() time.Duration {
	d := s.Delay
	for i := 1; i < s.early && d < s.MaxDelay; i++ {
		d *= 2
	}
	return min(d, max(s.MaxDelay, s.Delay))
}

// State is a service as operators see it.
type State struct {
	Name   string `json:"name"`
	Phase  Phase  `json:"phase"`
	Starts int    `json:"starts"`
	Last   string `json:"last-end,omitempty"`
}

// State returns what is known.
func (s *Service) State() State { return State{s.Name, s.phase, s.starts, s.last} }

// Running says whether a process runs.
func (s *Service) Running() bool { return s.phase == Running }
