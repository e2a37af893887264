package probe

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"
)

// The delay sink counts in steps of 8 ns up to 131 µs; what took longer is in
// the last step.
const (
	delayShift = 3
	delaySteps = 1 << 14
)

// ErrRange: a quantile lies beyond what the histogram holds.
var ErrRange = errors.New("beyond the histogram")

// Delay is a sink that tells how long frames of Flows.Stamp were on their way,
// by the kernel's monotonic clock.
type Delay struct{ *Sink }

// DelayTC attaches a delay sink to TC ingress of an interface of the calling
// thread's network namespace.
func DelayTC(dev string) (*Delay, error) {
	d, err := newDelay()
	if err != nil {
		return nil, err
	}
	p, err := delayTC(d.counter)
	if err == nil {
		err = d.attach(p, dev, 0)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func newDelay() (*Delay, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "delays", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: delaySteps})
	if err != nil {
		return nil, fmt.Errorf("make histogram: %w", err)
	}
	return &Delay{&Sink{counter: m, held: []io.Closer{m}}}, nil
}

// Quantile offers rate frames per second for span and returns how long the
// quantile q (0 to 1) of them were on their way at most.
func (d *Delay) Quantile(g *Generator, rate float64, span time.Duration, q float64) (time.Duration, error) {
	var before, after histogram
	_, err := running(g, rate, func() (err error) {
		time.Sleep(warm)
		if before, err = d.histogram(); err != nil {
			return err
		}
		time.Sleep(span)
		after, err = d.histogram()
		return err
	})
	if err != nil {
		return 0, err
	}
	for i, n := range before {
		after[i] -= n
	}
	if got, want := float64(after.total()), rate*span.Seconds(); got < 0.9*want {
		return 0, fmt.Errorf("%.0f frames arrived of %.0f that were to be sent", got, want)
	}
	return after.quantile(q)
}

// histogram counts frames by delay, in steps of 1 << delayShift ns.
type histogram []uint64

func (d *Delay) histogram() (histogram, error) {
	h := make(histogram, delaySteps)
	var perCPU []uint64
	for i := range h {
		if err := d.counter.Lookup(uint32(i), &perCPU); err != nil {
			return h, fmt.Errorf("read histogram: %w", err)
		}
		for _, v := range perCPU {
			h[i] += v
		}
	}
	return h, nil
}

func (h histogram) total() (n uint64) {
	for _, v := range h {
		n += v
	}
	return n
}

// quantile returns the end of the step that holds the q-th part of all.
func (h histogram) quantile(q float64) (time.Duration, error) {
	left := q * float64(h.total())
	for i, v := range h[:len(h)-1] {
		if left -= float64(v); left <= 0 {
			return time.Duration(i+1) << delayShift, nil
		}
	}
	return 0, fmt.Errorf("quantile %v: %w", q, ErrRange)
}

// Saturation sends at full speed for span and returns the frames per second of
// CPU time.
func Saturation(g *Generator, span time.Duration) (float64, error) {
	cpu, err := running(g, 0, func() error { time.Sleep(span); return nil })
	if err != nil {
		return 0, err
	}
	sent, err := g.Sent()
	return float64(sent) / cpu.Seconds(), err
}
