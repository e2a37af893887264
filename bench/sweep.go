package main

import (
	"errors"

	"waymark/bench/probe"
)

// serviceOverload is how many times its saturation a service lane is offered.
const serviceOverload = 10

// steps of a sweep: offered load in parts of what came out at full load.
var steps = []float64{0.5, 0.8, 0.95, 1.1, 1.25, 1.5, 2, 3, 5, 10}

// sweep is a contestant that is offered a rising load.
type sweep struct {
	g          *probe.Generator
	s          *probe.Sink
	before     func() error
	after      func() error
	overloaded float64 // the end, in parts of saturation; 0: all that the generator gives
}

// sweep adds a contestant: goodput at the highest load by the best of all loads.
func (b *bench) sweep(name string, s sweep) {
	b.add(name, share, func() (v float64, err error) {
		defer func() { err = errors.Join(err, s.after()) }()
		if err := s.before(); err != nil {
			return 0, err
		}
		full, err := probe.Sweep(s.g, s.s, []float64{0}, b.settle, b.step)
		if err != nil {
			return 0, err
		}
		list, err := probe.Sweep(s.g, s.s, rates(full[0], s.overloaded), b.settle, b.step)
		if err != nil {
			return 0, err
		}
		if len(list) == 0 || full[0].Offered <= s.overloaded*full[0].Delivered || s.overloaded == 0 {
			list = append(list, full[0])
		}
		b.curves[name] = append(b.curves[name], list)
		return kept(list)
	})
}

// rates are the steps below what the generator gives, and not beyond the end.
func rates(full probe.Rates, end float64) (list []float64) {
	for _, s := range steps {
		if r := s * full.Delivered; r < full.Offered && (end == 0 || s <= end) {
			list = append(list, r)
		}
	}
	return list
}

// kept is the goodput at the end of a sweep by the best of all.
func kept(list []probe.Rates) (float64, error) {
	best := 0.0
	for _, r := range list {
		best = max(best, r.Delivered)
	}
	if best == 0 {
		return 0, errors.New("nothing arrived at any load")
	}
	return list[len(list)-1].Delivered / best, nil
}
