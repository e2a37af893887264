package stats_test

import (
	"math"
	"testing"

	"waymark/bench/stats"
)

func TestOf(t *testing.T) {
	nan := stats.Missing
	for _, c := range []struct {
		in   []float64
		want stats.Spread
	}{
		{nil, stats.Spread{}},
		{[]float64{nan}, stats.Spread{}},
		{[]float64{2}, stats.Spread{Median: 2, Min: 2, Max: 2, Rounds: 1}},
		{[]float64{3, 1, nan, 2}, stats.Spread{Median: 2, Min: 1, Max: 3, Rounds: 3}},
		{[]float64{4, 1, 2, 3}, stats.Spread{Median: 2.5, Min: 1, Max: 4, Rounds: 4}},
	} {
		if got := stats.Of(c.in); got != c.want {
			t.Errorf("Of(%v): got %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestRatio(t *testing.T) {
	got := stats.Ratio([]float64{6, 1, stats.Missing, 8}, []float64{2, 0, 1, 4})
	for i, want := range []float64{3, stats.Missing, stats.Missing, 2} {
		if got[i] != want && !(math.IsNaN(got[i]) && math.IsNaN(want)) {
			t.Errorf("round %d: got %v, want %v", i, got[i], want)
		}
	}
}
