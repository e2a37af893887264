package main

import (
	"slices"

	"waymark/bench/chart"
	"waymark/bench/stats"
)

// drawing is one of the page's.
type drawing struct {
	name, title string
	x, y        string // what the axes show
	series      []chart.Series
}

func (d *drawing) save(file string) error { return chart.Save(file, d.title, d.x, d.y, d.series) }

// overSessions shows packet rates by number of sessions.
func (b *bench) overSessions(values map[string][]float64) drawing {
	type point struct {
		flows int
		name  string
	}
	line := func(title string, points ...point) chart.Series {
		s := chart.Series{Name: title}
		for _, p := range points {
			if m := stats.Of(values[p.name]); m.Rounds > 0 {
				s.Points = append(s.Points, [2]float64{float64(p.flows), m.Median / packets.per()})
			}
		}
		return s
	}
	return drawing{"sessions", "Rate over session count", "sessions", "Mpps, one core", []chart.Series{
		line("XDP drop", point{flows1k, ppsDrop}, point{flows1M, ppsDropM}),
		line("bare XDP redirect", point{flows1k, ppsXDP}, point{flows64k, ppsXDP64k}, point{flows1M, ppsXDPM}),
		line("Waymark XDP", point{flows1k, ppsLane}, point{flows8k, ppsLane8k}, point{flows64k, ppsLane64k},
			point{flows256, ppsLane256}, point{flows1M, ppsLaneM}),
		line("Waymark TC", point{flows1k, ppsTC}),
		line("kernel forwarding", point{flows1k, ppsKernel}),
		line("kernel + nftables NAT", point{flows1k, ppsNAT}),
	}}
}

// overLoad shows goodput by offered load.
func (b *bench) overLoad() drawing {
	d := drawing{"load", "Goodput over offered load", "Mpps offered", "Mpps delivered", nil}
	for _, c := range []struct{ name, title string }{
		{sweepBare, "bare XDP redirect"}, {sweepXDP, "Waymark XDP"}, {sweepTC, "Waymark TC"}, {sweepLane, "Waymark service lane, AES-256-GCM"},
	} {
		d.series = append(d.series, chart.Series{Name: c.title, Points: middle(b.curves[c.name])})
	}
	return d
}

// middle is the curve of the medians of several, of the steps that most of them
// have.
func middle(curves []curve) (points [][2]float64) {
	for _, s := range append(slices.Clone(steps), full) {
		var x, y []float64
		for _, c := range curves {
			for _, l := range c {
				if l.step == s {
					x, y = append(x, l.Offered), append(y, l.Delivered)
				}
			}
		}
		if 2*len(x) > len(curves) {
			points = append(points, [2]float64{stats.Of(x).Median / packets.per(), stats.Of(y).Median / packets.per()})
		}
	}
	return points
}
