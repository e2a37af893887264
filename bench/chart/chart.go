// Package chart draws lines into SVG files.
package chart

import (
	"errors"
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// Series is one line; a single point is drawn as a level.
type Series struct {
	Name   string
	Points [][2]float64 // x, y; both above 0
}

// Size of a drawing.
const (
	width  = 16 * vg.Centimeter
	height = 9 * vg.Centimeter
)

// ErrEmpty: no series has a point.
var ErrEmpty = errors.New("nothing to draw")

// Save draws series over logarithmic axes. Those without points are left out.
func Save(file, title, x, y string, series []Series) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Scale, a.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	p.Legend.Top, p.Legend.XOffs = true, -vg.Millimeter
	p.Add(plotter.NewGrid())
	low, high := extent(series)
	if low > high {
		return fmt.Errorf("draw %s: %w", title, ErrEmpty)
	}
	for i, s := range series {
		if err := add(p, i, s, low, high); err != nil {
			return fmt.Errorf("draw %s: %w", title, err)
		}
	}
	p.Y.Max *= 4 // room for the legend
	if err := p.Save(width, height, file); err != nil {
		return fmt.Errorf("draw %s: %w", title, err)
	}
	return nil
}

// add draws one series in its own colour.
func add(p *plot.Plot, i int, s Series, low, high float64) error {
	pts := make(plotter.XYs, len(s.Points))
	for k, v := range s.Points {
		pts[k].X, pts[k].Y = v[0], v[1]
	}
	if len(pts) == 0 {
		return nil
	}
	level := len(pts) == 1
	if level {
		pts = plotter.XYs{{X: low, Y: pts[0].Y}, {X: high, Y: pts[0].Y}}
	}
	line, marks, err := plotter.NewLinePoints(pts)
	if err != nil {
		return err
	}
	line.Color, marks.Color, marks.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
	if level {
		line.Dashes = plotutil.Dashes(1)
		p.Add(line)
		p.Legend.Add(s.Name, line)
		return nil
	}
	p.Add(line, marks)
	p.Legend.Add(s.Name, line, marks)
	return nil
}

// extent returns the least and greatest x; low > high without any.
func extent(series []Series) (low, high float64) {
	low = 1
	first := true
	for _, s := range series {
		for _, v := range s.Points {
			if first {
				low, high, first = v[0], v[0], false
			}
			low, high = min(low, v[0]), max(high, v[0])
		}
	}
	return low, high
}
