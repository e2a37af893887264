package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"waymark/bench/host"
	"waymark/bench/report"
	"waymark/bench/stats"
)

// run measures every wanted contestant once per round. The order is turned by
// one from round to round, so that nobody always follows the same neighbour. A
// failed measurement leaves a gap and an error.
func (b *bench) run() (map[string][]float64, error) {
	values := map[string][]float64{}
	var list []contestant
	for _, c := range b.contestants {
		if b.wanted(c.name) {
			list = append(list, c)
		}
	}
	var errs []error
	for round := range b.rounds {
		if len(list) > 0 {
			fmt.Printf("round %d of %d\n", round+1, b.rounds)
		}
		for i := range list {
			c := list[(i+round)%len(list)]
			if b.ctx.Err() != nil {
				return values, b.ctx.Err()
			}
			v, err := c.measure()
			if err != nil {
				errs = append(errs, fmt.Errorf("round %d: %s: %w", round+1, c.name, err))
				fmt.Printf("  %-60s failed: %v\n", c.name, err)
				v = stats.Missing
			} else {
				fmt.Printf("  %-60s %8.3f %s\n", c.name, v/c.unit.per(), c.unit)
			}
			values[c.name] = append(values[c.name], v)
		}
	}
	for name, rounds := range b.curves {
		values[name] = kept(rounds)
	}
	return values, errors.Join(errs...)
}

// report computes figures and absolute values.
func (b *bench) report(machine report.Machine, list []figure, values map[string][]float64) *report.Report {
	r := &report.Report{Machine: machine, Span: b.span, Transfer: b.pace.transfer, Congestion: host.Congestion, Lines: b.lines(values)}
	for _, f := range list {
		if v := f.values(values); v != nil {
			r.Figures = append(r.Figures, report.NewFigure(f.id, f.name, stats.Of(v), f.goal.value, f.goal.most))
		}
	}
	absolute := func(name string, u unit, v []float64) {
		if v == nil {
			return
		}
		s, p := stats.Of(v), u.per()
		r.Absolute = append(r.Absolute, report.Absolute{Name: name, Unit: string(u),
			Median: s.Median / p, Min: s.Min / p, Max: s.Max / p, Rounds: s.Rounds})
	}
	for _, c := range b.contestants {
		if b.curves[c.name] == nil {
			absolute(c.name, c.unit, values[c.name])
		}
	}
	for _, name := range []string{sweepLane, sweepFront, sweepTC, sweepXDP, sweepBare} {
		var offered, delivered []float64
		for _, c := range b.curves[name] {
			offered, delivered = append(offered, c.end().Offered), append(delivered, c.end().Delivered)
		}
		what := strings.TrimPrefix(name, "goodput at overload, ")
		absolute("offered at overload, "+what, packets, offered)
		absolute("delivered at overload, "+what, packets, delivered)
	}
	absolute(newSessions, perCore, values[newSessions])
	absolute(newMany, perCore, values[newMany])
	absolute(memoryCPE, megabyte, values[memoryCPE])
	absolute(memoryHub, megabyte, values[memoryHub])
	return r
}

// lines are the drawings' data, for machines.
func (b *bench) lines(values map[string][]float64) map[string]map[string][][2]float64 {
	out := map[string]map[string][][2]float64{}
	for _, d := range []drawing{b.overSessions(values), b.overLoad()} {
		out[d.name] = map[string][][2]float64{}
		for _, s := range d.series {
			if len(s.Points) > 0 {
				out[d.name][s.Name] = s.Points
			}
		}
	}
	return out
}

// draw makes the drawings beside the page.
func (b *bench) draw(page string, r *report.Report, values map[string][]float64) error {
	stem := strings.TrimSuffix(page, filepath.Ext(page))
	for _, d := range []drawing{b.overSessions(values), b.overLoad()} {
		file := stem + "-" + d.name + ".svg"
		if err := d.save(file); err != nil {
			return err
		}
		r.Drawings = append(r.Drawings, report.Drawing{File: filepath.Base(file), Title: d.title})
	}
	return nil
}
