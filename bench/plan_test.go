package main

import (
	"errors"
	"math"
	"slices"
	"testing"

	"waymark/bench/probe"
	"waymark/bench/stats"
)

// TestFigures: ids are the rows of the goals, each once, and every contestant
// that a figure needs is one that runs.
func TestFigures(t *testing.T) {
	rows := []string{"1", "2", "3", "4a", "4b", "5", "6", "7a", "7b", "8", "9a", "9b", "9c", "10a", "10b", "10c",
		"11", "12a", "12b", "13", "14", "kill", "2-13a", "2-13b", "2-13c"}
	known := map[string]bool{newSessions: true, newMany: true, memoryCPE: true, memoryHub: true}
	for _, p := range (&bench{}).parts() {
		for _, n := range p.names {
			if known[n] {
				t.Errorf("two parts make %q", n)
			}
			known[n] = true
		}
	}
	var got []string
	for _, f := range figures {
		if f.goal != reference {
			got = append(got, f.id)
		}
		for _, n := range f.from.needs {
			if !known[n] {
				t.Errorf("figure %s needs %q, which no part makes", f.id, n)
			}
		}
	}
	if !slices.Equal(got, rows) {
		t.Errorf("got figures with goals %v, want %v", got, rows)
	}
}

func TestChoose(t *testing.T) {
	list, wanted, err := choose("1,4a")
	if err != nil || len(list) != 2 || !wanted(ppsLane) || !wanted(ppsLane64k) || !wanted(ppsKernel) || wanted(ppsNAT) {
		t.Errorf("got %d figures, %v", len(list), err)
	}
	if list, wanted, err = choose(""); err != nil || len(list) != len(figures) || !wanted(ppsLane8k) {
		t.Errorf("nothing chosen: got %d figures, %v", len(list), err)
	}
	if _, _, err := choose("1,99"); err == nil {
		t.Error("an unknown id is no error")
	}
}

func TestFormulas(t *testing.T) {
	all := map[string][]float64{"a": {6, 4}, "b": {3, 5}, "zero": {2, 5}}
	for _, c := range []struct {
		name string
		from formula
		want []float64
	}{
		{"ratio", ratio("a", "b"), []float64{2, 0.8}},
		{"alone", alone("a", 2), []float64{3, 2}},
		{"added, none in the second round", added("a", "b", "zero"), []float64{4, stats.Missing}},
		{"absent", ratio("a", "c"), nil},
	} {
		f := figure{from: c.from}
		got := f.values(all)
		same := slices.EqualFunc(got, c.want, func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
		if !same {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// sweepOf makes a curve of pairs of step and goodput.
func sweepOf(pairs ...float64) (c curve) {
	for i := 0; i < len(pairs); i += 2 {
		c = append(c, load{pairs[i], probe.Rates{Offered: pairs[i] * 1e6, Delivered: pairs[i+1] * 1e6}})
	}
	return c
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name       string
		all        probe.Rates
		end        float64
		first      float64
		count      int
		last, rate float64
	}{
		{"all that there is", probe.Rates{Offered: 2.6, Delivered: 1}, 0, 0.5, 8, full, 0},
		{"less than the end", probe.Rates{Offered: 2.6, Delivered: 1}, serviceOverload, 0.5, 8, full, 0},
		{"the end", probe.Rates{Offered: 100, Delivered: 2}, serviceOverload, 0.5, 10, serviceOverload, 20},
		{"no less than saturation", probe.Rates{Offered: 1, Delivered: 4}, 0, full, 1, full, 0},
	} {
		got := plan(c.all, c.end)
		if len(got) != c.count || got[0].step != c.first || got.end().step != c.last || got.end().Offered != c.rate {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestKept(t *testing.T) {
	for _, c := range []struct {
		name   string
		rounds []curve
		want   []float64
	}{
		{"flat", []curve{sweepOf(0.5, 1, 1.1, 2, full, 2)}, []float64{1}},
		{"collapse", []curve{sweepOf(0.5, 1, 1.1, 4, full, 2)}, []float64{0.5}},
		{"the best in the median, not in each round", []curve{
			sweepOf(0.5, 1, 1.1, 4, 2, 2, full, 2), sweepOf(0.5, 1, 1.1, 4, 2, 8, full, 2), sweepOf(0.5, 1, 1.1, 4, 2, 2, full, 3),
		}, []float64{0.5, 0.5, 0.75}},
		{"a step that one round lacks does not count", []curve{
			sweepOf(1.1, 2, 2, 4, full, 1), sweepOf(1.1, 2, full, 1),
		}, []float64{0.5, 0.5}},
	} {
		if got := kept(c.rounds); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestMiddle: medians of the steps that most curves have.
func TestMiddle(t *testing.T) {
	got := middle([]curve{sweepOf(0.5, 1, 2, 2, 3, 9), sweepOf(0.5, 3, 2, 2), sweepOf(0.5, 2, 2, 5)})
	if want := [][2]float64{{0.5, 2}, {2, 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestClose: the last that was set up goes first, and every error is told.
func TestClose(t *testing.T) {
	var order []int
	b := bench{}
	for i := range 3 {
		b.closers = append(b.closers, func() error { order = append(order, i); return errors.New("x") })
	}
	if err := b.close(); err == nil || !slices.Equal(order, []int{2, 1, 0}) {
		t.Errorf("got order %v, error %v", order, err)
	}
}
