package path

import (
	"math"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestMOSVectors(t *testing.T) {
	for _, row := range []struct {
		rtt, jitter time.Duration
		loss        float64
		d, r        float64
		g711, g729  float64
	}{
		{0, 0, 0, 10, 92.96, 4.40, 4.10}, {20, 2, 0, 24, 92.62, 4.40, 4.08}, {50, 5, 0, 45, 92.12, 4.39, 4.07},
		{50, 5, 0.5, 45, 90.26, 4.35, 3.98}, {50, 5, 1, 45, 88.48, 4.30, 3.90}, {100, 10, 1, 80, 87.64, 4.28, 3.87},
		{150, 15, 2, 115, 83.43, 4.15, 3.66}, {300, 20, 0, 200, 85.90, 4.23, 3.82}, {300, 20, 3, 200, 75.76, 3.85, 3.28},
		{600, 40, 0, 390, 60.44, 3.12, 2.55}, {600, 40, 5, 390, 44.66, 2.30, 1.69}, {50, 5, 20, 45, 49.99, 2.57, 1.97},
		{50, 5, 100, 45, 16.18, 1.15, 1.04},
	} {
		rtt, jitter := row.rtt*ms, row.jitter*ms
		d := delay(rtt, jitter)
		for name, p := range map[string][2]float64{
			"d": {d, row.d}, "R": {rating(codecG711, d, row.loss), row.r},
			"MOS": {MOS(rtt, jitter, row.loss), row.g711}, "G.729A": {score(codecG729A, rtt, jitter, row.loss), row.g729},
		} {
			if math.Abs(p[0]-p[1]) > 0.0051 {
				t.Errorf("%v, %v, %v %%: %s is %.4f, want %.2f", rtt, jitter, row.loss, name, p[0], p[1])
			}
		}
	}
}

func TestMOSFallsAndIsANumber(t *testing.T) {
	for _, loss := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -5, 0, 1e9} {
		for _, rtt := range []time.Duration{math.MinInt64, -1, 0, math.MaxInt64} {
			if got := MOS(rtt, rtt, loss); math.IsNaN(got) || got < 1 || got > 4.5 {
				t.Errorf("MOS(%v, %v, %v) = %v", rtt, rtt, loss, got)
			}
		}
	}
	falls := func(what string, f func(int) float64) {
		last := math.Inf(1)
		for i := range 2000 {
			if got := f(i); got > last+1e-12 {
				t.Fatalf("%s: %v at %d is more than %v before", what, got, i, last)
			} else {
				last = got
			}
		}
	}
	for _, base := range []int{0, 50, 400} {
		falls("round trip", func(i int) float64 { return MOS(time.Duration(i)*ms, time.Duration(base/10)*ms, float64(base)/40) })
		falls("jitter", func(i int) float64 { return MOS(time.Duration(base)*ms, time.Duration(i)*ms/4, float64(base)/40) })
		falls("loss", func(i int) float64 { return MOS(time.Duration(base)*ms, time.Duration(base/10)*ms, float64(i)/20) })
	}
}

// FuzzMOS: whatever grows worse, the score does not rise, and it is a number.
func FuzzMOS(f *testing.F) {
	f.Add(int64(50e6), int64(5e6), 0.5, int64(1e6), int64(1e6), 0.1)
	f.Add(int64(0), int64(0), 100.0, int64(math.MaxInt64), int64(1), math.NaN())
	f.Fuzz(func(t *testing.T, rtt, jitter int64, loss float64, moreRTT, moreJitter int64, moreLoss float64) {
		at := func(r, j int64, l float64) float64 {
			m := MOS(time.Duration(r), time.Duration(j), l)
			if math.IsNaN(m) || m < 1 || m > 4.5 {
				t.Fatalf("MOS(%d, %d, %v) = %v", r, j, l, m)
			}
			return m
		}
		add := func(a, b int64) int64 { return a + min(max(b, 0), math.MaxInt64-max(a, 0)) }
		worse := loss
		if moreLoss > 0 {
			worse += moreLoss
		}
		score := at(rtt, jitter, loss)
		for _, w := range []float64{at(add(rtt, moreRTT), jitter, loss), at(rtt, add(jitter, moreJitter), loss), at(rtt, jitter, worse)} {
			if w > score+1e-9 {
				t.Errorf("%v after %v", w, score)
			}
		}
	})
}
