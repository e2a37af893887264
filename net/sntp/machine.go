package sntp

import (
	"errors"
	"math"
	"slices"
	"time"
)

// Never is an instant that does not come.
const Never = time.Duration(math.MaxInt64)

// Pauses between two questions to a server. RFC 8633 3.1 and RFC 4330 10 want at
// least 15 s, and longer the longer nobody answers.
const (
	pollFirst  = 64 * time.Second
	pollMost   = 1024 * time.Second
	pollSilent = time.Hour
	pollRetry  = 16 * time.Second // behind the first silence
)

// stepFrom is the offset from which the clock is stepped: slewing it away would
// take a quarter of an hour.
const stepFrom = 500 * time.Millisecond

// Config is how a machine behaves.
type Config struct {
	Floor time.Time // nobody's time lies before it
	// Random returns an evenly spread duration in [0, n).
	Random func(n time.Duration) time.Duration
}

// Server is what is known of one server.
type Server struct {
	Name   string
	Reach  uint8 // last eight questions, one bit for each answer
	Poll   time.Duration
	When   time.Duration // of the last answer; negative: never
	Sample Sample        // of the last answer
	Err    error         // of the last question
	Chosen bool          // agrees with the most
	denied bool
	silent int // questions without an answer since the last one
	next   time.Duration
	fresh  bool // answered since the last decision
}

// Machine is a client's state. Instants are monotonic durations since any
// moment. One goroutine.
type Machine struct {
	cfg     Config
	servers []*Server
	synced  time.Duration // last time the servers agreed; negative: never
}

// New makes a machine without servers.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, synced: -1} }

// Use replaces the servers; what is known of those that stay is kept. New ones
// are asked at once.
func (m *Machine) Use(now time.Duration, names []string) {
	var list []*Server
	for _, n := range names {
		i := slices.IndexFunc(m.servers, func(s *Server) bool { return s.Name == n })
		if i >= 0 {
			list = append(list, m.servers[i])
			continue
		}
		list = append(list, &Server{Name: n, Poll: pollFirst, When: -1, next: now})
	}
	m.servers = list
}

// Servers returns a copy of what is known.
func (m *Machine) Servers() []Server {
	list := make([]Server, len(m.servers))
	for i, s := range m.servers {
		list[i] = *s
	}
	return list
}

// Synced returns when servers agreed last; negative: never.
func (m *Machine) Synced() time.Duration { return m.synced }

// Deadline is when Due has somebody to ask.
func (m *Machine) Deadline() time.Duration {
	d := Never
	for _, s := range m.servers {
		if !s.denied {
			d = min(d, s.next)
		}
	}
	return d
}

// Due names the servers to ask now. Those that answer are asked together, so
// that a wrong one never decides alone.
func (m *Machine) Due(now time.Duration) (names []string) {
	answering := slices.ContainsFunc(m.servers, func(s *Server) bool { return s.answers() && s.next <= now })
	for _, s := range m.servers {
		if !s.denied && (s.next <= now || answering && s.answers()) {
			names = append(names, s.Name)
		}
	}
	return names
}

func (s *Server) answers() bool { return !s.denied && s.silent == 0 }

// Heard takes the outcome of a question. ours is what our clock said then.
func (m *Machine) Heard(now time.Duration, name string, ours time.Time, x Sample, err error) {
	i := slices.IndexFunc(m.servers, func(s *Server) bool { return s.Name == name })
	if i < 0 {
		return
	}
	s := m.servers[i]
	if err == nil && ours.Add(x.Offset).Before(m.cfg.Floor) {
		err = ErrFloor
	}
	s.Reach, s.Err = s.Reach<<1, err
	if err == nil {
		s.Reach, s.Sample, s.When, s.fresh, s.silent = s.Reach|1, x, now, true, 0
		s.next = now + m.blur(s.Poll)
		s.Poll = min(2*s.Poll, pollMost)
		return
	}
	s.silent++
	s.Poll = pollFirst
	pause := min(pollRetry<<min(s.silent-1, 10), pollSilent)
	if errors.Is(err, ErrDeny) {
		s.denied = true
	}
	if errors.Is(err, ErrRate) {
		pause, s.Poll = pollMost, pollMost
	}
	s.next = now + m.blur(pause)
}

// blur spreads boxes that boot together: up to an eighth longer.
func (m *Machine) blur(d time.Duration) time.Duration { return d + m.cfg.Random(d/8) }

// Action is what the clock needs.
type Action struct {
	Offset time.Duration
	Step   bool // else slew
}

// Decide looks at the answers since the last decision. ok is false when there is
// nothing to do: no answer, or no majority that agrees.
func (m *Machine) Decide(now time.Duration) (a Action, ok bool) {
	var list []*Server
	for _, s := range m.servers {
		if s.fresh {
			list = append(list, s)
		}
		s.fresh, s.Chosen = false, false
	}
	agree := intersect(list)
	if len(list) == 0 || 2*len(agree) <= len(list) {
		return a, false
	}
	best := agree[0]
	for _, s := range agree {
		s.Chosen = true
		if s.Sample.Error < best.Sample.Error {
			best = s
		}
	}
	m.synced = now
	a.Offset = best.Sample.Offset
	a.Step = a.Offset.Abs() >= stepFrom
	return a, true
}

// intersect returns the largest group of servers whose intervals have an instant
// in common (Marzullo). Every such instant begins somebody's interval.
func intersect(list []*Server) (best []*Server) {
	for _, at := range list {
		low := at.Sample.Offset - at.Sample.Error
		var group []*Server
		for _, s := range list {
			if s.Sample.Offset-s.Sample.Error <= low && low <= s.Sample.Offset+s.Sample.Error {
				group = append(group, s)
			}
		}
		if len(group) > len(best) {
			best = group
		}
	}
	return best
}
