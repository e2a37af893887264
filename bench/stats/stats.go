// Package stats keeps what the rounds of a measurement gave and says what may
// be concluded from it.
package stats

import (
	"math"
	"slices"
)

// Missing stands for a measurement that failed in its round.
var Missing = math.NaN()

// Spread sums up the rounds of one figure.
type Spread struct {
	Median float64
	Min    float64
	Max    float64
	Rounds int // that gave a value
}

// Of sums up values; missing ones do not count. Without any value all is 0.
func Of(values []float64) Spread {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(v) == 0 {
		return Spread{}
	}
	slices.Sort(v)
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (v[len(v)/2-1] + m) / 2
	}
	return Spread{Median: m, Min: v[0], Max: v[len(v)-1], Rounds: len(v)}
}

// Ratio divides round by round, so that what disturbs a whole round cancels
// out. A round that lacks either value, or divides by nothing, is missing.
func Ratio(over, under []float64) []float64 {
	r := make([]float64, min(len(over), len(under)))
	for i := range r {
		r[i] = over[i] / under[i]
		if math.IsInf(r[i], 0) {
			r[i] = Missing
		}
	}
	return r
}

// Less subtracts round by round.
func Less(a, b []float64) []float64 {
	r := make([]float64, min(len(a), len(b)))
	for i := range r {
		r[i] = a[i] - b[i]
	}
	return r
}
