package client

import (
	"math/rand/v2"
	"time"
)

// Backoff spreads attempts: each wait is a random part of a window that
// doubles. Boxes that lose a conductor at once do not come back at once.
type Backoff struct {
	Spread, Longest time.Duration // first and last window
	window          time.Duration
}

// Next returns the next wait.
func (b *Backoff) Next() time.Duration {
	if b.window == 0 {
		b.window = b.Spread
	}
	d := rand.N(b.window)
	b.window = min(2*b.window, max(b.Longest, b.Spread))
	return d
}

// Reset begins anew: the last attempt went well.
func (b *Backoff) Reset() { b.window = 0 }
