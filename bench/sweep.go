package main

import (
	"errors"
	"math"

	"waymark/bench/probe"
	"waymark/bench/stats"
)

// serviceOverload is how many times its saturation a service lane is offered.
const serviceOverload = 10

// steps of a sweep: offered load in parts of what came out at full load.
var steps = []float64{0.5, 0.8, 0.95, 1.1, 1.25, 1.5, 2, 3, 5, 10}

// full is the step at which the generator sends all it can.
var full = math.Inf(1)

// load is what one step of a sweep gave.
type load struct {
	step float64 // of steps, or full
	probe.Rates
}

// curve is a whole sweep, the greatest load last.
type curve []load

// at returns what was delivered at a step.
func (c curve) at(step float64) (float64, bool) {
	for _, l := range c {
		if l.step == step {
			return l.Delivered, true
		}
	}
	return 0, false
}

// end is the last step.
func (c curve) end() load { return c[len(c)-1] }

// sweep is a contestant that is offered a rising load.
type sweep struct {
	g          *probe.Generator
	s          *probe.Sink
	before     func() error
	after      func() error
	overloaded float64 // the end, in parts of saturation; 0: all that the generator gives
}

// sweep adds a contestant: what is delivered at the highest load.
func (b *bench) sweep(name string, s sweep) {
	b.add(name, packets, func() (v float64, err error) {
		defer func() { err = errors.Join(err, s.after()) }()
		if err := s.before(); err != nil {
			return 0, err
		}
		c, err := s.run(b.pace)
		if err != nil {
			return 0, err
		}
		b.curves[name] = append(b.curves[name], c)
		return c.end().Delivered, nil
	})
}

// run offers full load first, to know the saturation, then all steps.
func (s *sweep) run(p pace) (c curve, err error) {
	all, err := probe.Sweep(s.g, s.s, []float64{0}, p.settle, p.step)
	if err != nil {
		return nil, err
	}
	if all[0].Delivered == 0 {
		return nil, errors.New("nothing arrives at full load")
	}
	c = plan(all[0], s.overloaded)
	var offer []float64
	for _, l := range c {
		offer = append(offer, l.Offered)
	}
	list, err := probe.Sweep(s.g, s.s, offer, p.settle, p.step)
	for i, r := range list {
		c[i].Rates = r
	}
	return c, err
}

// plan names the loads of a sweep: the steps below what the generator gives,
// then all of it (offered 0), or up to the end.
func plan(all probe.Rates, end float64) (c curve) {
	for _, s := range steps {
		if r := s * all.Delivered; r < all.Offered && (end == 0 || s <= end) {
			c = append(c, load{s, probe.Rates{Offered: r}})
		}
	}
	if len(c) == 0 || end == 0 || c.end().step < end {
		c = append(c, load{step: full})
	}
	return c
}

// kept is, by round, the goodput at the end of sweeps by that at the step which
// is best in the median of all rounds: the best of each round would be the
// luckiest one.
func kept(rounds []curve) (list []float64) {
	best, most := full, 0.0
	for _, s := range append([]float64{full}, steps...) {
		var v []float64
		for _, c := range rounds {
			if d, ok := c.at(s); ok {
				v = append(v, d)
			}
		}
		if m := stats.Of(v).Median; len(v) == len(rounds) && m > most {
			best, most = s, m
		}
	}
	for _, c := range rounds {
		peak, ok := c.at(best)
		if !ok {
			peak = c.end().Delivered
		}
		list = append(list, c.end().Delivered/peak)
	}
	return list
}
