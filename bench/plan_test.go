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
		"11", "12a", "12b", "13", "14", "2-13a", "2-13b", "2-13c"}
	known := map[string]bool{newSessions: true, memoryCPE: true, memoryHub: true}
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

func TestSweep(t *testing.T) {
	full := probe.Rates{Offered: 2.6, Delivered: 1}
	if got, want := rates(full, 0), []float64{0.5, 0.8, 0.95, 1.1, 1.25, 1.5, 2}; !slices.Equal(got, want) {
		t.Errorf("rates: got %v, want %v", got, want)
	}
	full.Offered = 100
	if got := rates(full, serviceOverload); got[len(got)-1] != serviceOverload {
		t.Errorf("rates to %d times saturation: got %v", serviceOverload, got)
	}
	if got, err := kept([]probe.Rates{{Delivered: 0.5}, {Delivered: 1}, {Delivered: 0.8}}); got != 0.8 || err != nil {
		t.Errorf("kept: got %v %v, want 0.8", got, err)
	}
	if _, err := kept([]probe.Rates{{}}); err == nil {
		t.Error("kept: nothing delivered is no error")
	}
}

// TestMiddle: curves of unequal length are laid together at their ends.
func TestMiddle(t *testing.T) {
	got := middle([][]probe.Rates{
		{{Offered: 1e6, Delivered: 1e6}, {Offered: 2e6, Delivered: 2e6}, {Offered: 4e6, Delivered: 3e6}},
		{{Offered: 2e6, Delivered: 2e6}, {Offered: 4e6, Delivered: 3e6}},
		{{Offered: 2e6, Delivered: 2e6}, {Offered: 6e6, Delivered: 1e6}},
	})
	if want := [][2]float64{{2, 2}, {4, 3}}; !slices.Equal(got, want) {
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
