package probe

import (
	"fmt"
	"sync/atomic"
	"time"
)

// warm is how long a generator runs before anything is counted.
const warm = 200 * time.Millisecond

// Rates is what a run of the generator at full speed gave.
type Rates struct {
	Offered   float64 // frames per second sent
	Delivered float64 // frames per second swallowed by the sink
	PerCPU    float64 // frames swallowed per second of CPU time of the sending CPU
}

// Overload sends at full speed for span and counts at the sink.
func Overload(g *Generator, s *Sink, span time.Duration) (r Rates, err error) {
	var stop atomic.Bool
	type end struct {
		cpu time.Duration
		err error
	}
	done := make(chan end, 1)
	all0, err := s.Count()
	if err != nil {
		return r, err
	}
	go func() {
		cpu, err := g.Full(&stop)
		done <- end{cpu, err}
	}()
	time.Sleep(warm)
	sent, got, elapsed, err := window(g, s, span)
	stop.Store(true)
	e := <-done
	if err == nil {
		err = e.err
	}
	if err != nil {
		return r, err
	}
	all1, err := s.Count()
	if err != nil {
		return r, err
	}
	if got == 0 {
		return r, fmt.Errorf("overload: %d frames sent, none arrived", sent)
	}
	r.Offered, r.Delivered = float64(sent)/elapsed.Seconds(), float64(got)/elapsed.Seconds()
	r.PerCPU = float64(all1-all0) / e.cpu.Seconds()
	return r, nil
}

// window counts at both ends for span.
func window(g *Generator, s *Sink, span time.Duration) (sent, got uint64, elapsed time.Duration, err error) {
	var a, b [2]uint64
	start := time.Now()
	if a, err = both(g, s); err != nil {
		return
	}
	time.Sleep(span)
	if b, err = both(g, s); err != nil {
		return
	}
	return b[0] - a[0], b[1] - a[1], time.Since(start), nil
}

func both(g *Generator, s *Sink) (v [2]uint64, err error) {
	if v[0], err = g.Sent(); err != nil {
		return v, err
	}
	v[1], err = s.Count()
	return v, err
}
