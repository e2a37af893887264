package probe

import (
	"fmt"
	"sync/atomic"
	"time"
)

// warm is how long a generator runs before anything is counted.
const warm = 200 * time.Millisecond

// Rates is what a run of the generator gave.
type Rates struct {
	Offered   float64 // frames per second sent
	Delivered float64 // frames per second swallowed by the sink
	PerCPU    float64 // frames swallowed per second of CPU time of the sending CPU
	Arrived   float64 // share of the frames sent that the sink swallowed, over the whole run
}

// Overload sends at full speed for span and counts at the sink.
func Overload(g *Generator, s *Sink, span time.Duration) (Rates, error) { return Offer(g, s, 0, span) }

// Offer sends at rate frames per second, 0: at full speed, for span and counts
// at the sink.
func Offer(g *Generator, s *Sink, rate float64, span time.Duration) (r Rates, err error) {
	all0, err := s.Count()
	if err != nil {
		return r, err
	}
	cpu, err := running(g, rate, func() error {
		time.Sleep(warm)
		r, err = window(g, s, span)
		return err
	})
	if err != nil {
		return r, err
	}
	all1, err := s.Count()
	if err != nil {
		return r, err
	}
	sent, err := g.Sent()
	if err != nil {
		return r, err
	}
	if r.Delivered == 0 {
		return r, fmt.Errorf("%d frames sent, none arrived", sent)
	}
	r.PerCPU = float64(all1-all0) / cpu.Seconds()
	r.Arrived = float64(all1-all0) / float64(max(sent, 1))
	return r, nil
}

// Lost sends at rate frames per second while fn runs, and returns how many
// frames it sent and how many of them did not arrive.
func Lost(g *Generator, s *Sink, rate float64, fn func() error) (sent, lost uint64, err error) {
	before, err := s.Count()
	if err != nil {
		return 0, 0, err
	}
	if _, err = running(g, rate, fn); err != nil {
		return 0, 0, err
	}
	time.Sleep(warm) // the last frames are on their way
	v, err := both(g, s)
	return v[0], v[0] - (v[1] - before), err
}

// Sweep offers each of the rates in turn, without a pause in between, and
// counts for span once it has settled.
func Sweep(g *Generator, s *Sink, rates []float64, settle, span time.Duration) (list []Rates, err error) {
	if len(rates) == 0 {
		return nil, nil
	}
	_, err = running(g, rates[0], func() error {
		for _, rate := range rates {
			if err := g.Pace(rate); err != nil {
				return err
			}
			time.Sleep(settle)
			r, err := window(g, s, span)
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	return list, err
}

// running calls fn while the generator runs and returns the CPU time that took.
func running(g *Generator, rate float64, fn func() error) (time.Duration, error) {
	var stop atomic.Bool
	type end struct {
		cpu time.Duration
		err error
	}
	done := make(chan end, 1)
	go func() {
		cpu, err := g.Run(rate, &stop)
		done <- end{cpu, err}
	}()
	err := fn()
	stop.Store(true)
	e := <-done
	if err == nil {
		err = e.err
	}
	return e.cpu, err
}

// window counts at both ends for span.
func window(g *Generator, s *Sink, span time.Duration) (r Rates, err error) {
	start := time.Now()
	a, err := both(g, s)
	if err != nil {
		return r, err
	}
	time.Sleep(span)
	b, err := both(g, s)
	if err != nil {
		return r, err
	}
	elapsed := time.Since(start).Seconds()
	r.Offered, r.Delivered = float64(b[0]-a[0])/elapsed, float64(b[1]-a[1])/elapsed
	return r, nil
}

func both(g *Generator, s *Sink) (v [2]uint64, err error) {
	if v[0], err = g.Sent(); err != nil {
		return v, err
	}
	v[1], err = s.Count()
	return v, err
}
