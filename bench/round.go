package main

import (
	"context"
	"errors"
	"fmt"

	"waymark/bench/report"
	"waymark/bench/stats"
)

// rounds measures every wanted contestant once per round. The order is turned
// by one from round to round, so that nobody always follows the same neighbour.
// A failed measurement leaves a gap and an error.
func (b *bench) rounds(ctx context.Context, n int, wanted func(string) bool) (map[string][]float64, error) {
	values := map[string][]float64{}
	var list []contestant
	for _, c := range b.contestants {
		if wanted(c.name) {
			list = append(list, c)
		}
	}
	var errs []error
	for round := range n {
		fmt.Printf("round %d of %d\n", round+1, n)
		for i := range list {
			c := list[(i+round)%len(list)]
			if ctx.Err() != nil {
				return values, ctx.Err()
			}
			v, err := c.measure()
			if err != nil {
				errs = append(errs, fmt.Errorf("round %d: %s: %w", round+1, c.name, err))
				fmt.Printf("  %-52s failed: %v\n", c.name, err)
				v = stats.Missing
			} else {
				fmt.Printf("  %-52s %8.3f %s\n", c.name, v/c.unit.per(), c.unit)
			}
			values[c.name] = append(values[c.name], v)
		}
	}
	return values, errors.Join(errs...)
}

// report computes figures and absolute values.
func (b *bench) report(machine report.Machine, values map[string][]float64) *report.Report {
	r := &report.Report{Machine: machine, Span: b.span}
	for _, f := range figures {
		over, under := values[f.over], values[f.under]
		if over == nil || under == nil {
			continue
		}
		r.Figures = append(r.Figures, report.NewFigure(f.id, f.name, stats.Of(stats.Ratio(over, under)), f.goal))
	}
	for _, c := range b.contestants {
		if v := values[c.name]; v != nil {
			s := stats.Of(v)
			p := c.unit.per()
			r.Absolute = append(r.Absolute, report.Absolute{Name: c.name, Unit: string(c.unit),
				Median: s.Median / p, Min: s.Min / p, Max: s.Max / p, Rounds: s.Rounds})
		}
	}
	return r
}
