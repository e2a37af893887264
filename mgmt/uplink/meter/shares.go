package meter

import (
	"maps"
	"sync"
	"time"
)

// Cost is packets of IP and their bytes, both directions.
type Cost struct{ Packets, Bytes uint64 }

// Shares divides what one connection costs among those who use it. The kernel
// counts packets, not whose they are; so what was counted since the last look is
// whose turn it is. Turns change before something is sent and behind what was
// received; acknowledgements come with the turn. The sum is always the meter's;
// the shares are exact where users are silent for longer than Rest before
// another one has its turn.
type Shares struct {
	m *Meter

	mu    sync.Mutex // guards the rest
	owner string
	at    time.Time // since when it is
	last  Cost      // of all, as it was read last
	by    map[string]Cost
}

// Rest is how long a turn lasts at most, unless it is taken again; what comes
// then is everybody's, "".
const Rest = time.Second

// Share makes the shares of a meter; at first all is everybody's.
func (m *Meter) Share() *Shares { return &Shares{m: m, by: map[string]Cost{}} }

// Sends has what comes from now on be a user's: it is about to send.
func (s *Shares) Sends(user string) { s.turn(user, false) }

// Received says that what was counted last was a user's.
func (s *Shares) Received(user string) { s.turn(user, true) }

// Read returns each user's share so far; "" is everybody's.
func (s *Shares) Read() map[string]Cost {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return maps.Clone(s.by)
}

func (s *Shares) turn(user string, took bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !took {
		s.settle()
	}
	s.owner, s.at = user, time.Now()
	if took {
		s.settle()
	}
}

// settle gives the owner what was counted since the last look; mu is held.
func (s *Shares) settle() {
	packets, bytes := s.m.Read()
	c := s.by[s.owner]
	c.Packets += packets - s.last.Packets
	c.Bytes += bytes - s.last.Bytes
	s.by[s.owner], s.last = c, Cost{packets, bytes}
	if time.Since(s.at) > Rest {
		s.owner = ""
	}
}
