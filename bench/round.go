package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"waymark/bench/probe"
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
	return values, errors.Join(errs...)
}

// report computes figures and absolute values.
func (b *bench) report(machine report.Machine, list []figure, values map[string][]float64) *report.Report {
	r := &report.Report{Machine: machine, Span: b.span, Transfer: b.pace.transfer}
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
		if c.unit != share {
			absolute(c.name, c.unit, values[c.name])
		}
	}
	for _, name := range []string{sweepLane, sweepTC, sweepXDP} {
		offered, peak := ends(b.curves[name])
		what := strings.TrimPrefix(name, "goodput at overload, ")
		absolute("offered at overload, "+what, packets, offered)
		absolute("peak goodput, "+what, packets, peak)
	}
	absolute(newSessions, perCore, values[newSessions])
	absolute(memoryCPE, megabyte, values[memoryCPE])
	absolute(memoryHub, megabyte, values[memoryHub])
	return r
}

// ends are, by round, the highest load of sweeps and their best goodput.
func ends(curves [][]probe.Rates) (offered, peak []float64) {
	for _, list := range curves {
		best := 0.0
		for _, r := range list {
			best = max(best, r.Delivered)
		}
		offered, peak = append(offered, list[len(list)-1].Offered), append(peak, best)
	}
	return offered, peak
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
