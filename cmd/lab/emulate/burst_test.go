package emulate

import (
	"math"
	"testing"
	"time"
)

// Losses in bursts are as many in all as told, and as many in a row.
func TestBursts(t *testing.T) {
	for _, row := range []struct{ loss, burst, run float64 }{{0.1, 0, 1.11}, {0.1, 1, 1.11}, {0.05, 5, 5}, {0.2, 20, 20}} {
		f := newFate(Impairment{Loss: row.loss, Burst: row.burst, Seed: 9}, 1)
		lost, runs, before := 0, 0, false
		const frames = 400_000
		for range frames {
			_, copies := f.decide(time.Unix(0, 0), 100)
			if gone := copies == 0; gone {
				lost++
				if !before {
					runs++
				}
				before = true
			} else {
				before = false
			}
		}
		share, run := float64(lost)/frames, float64(lost)/float64(runs)
		if math.Abs(share-row.loss) > row.loss/10 || math.Abs(run-row.run) > row.run/10 {
			t.Errorf("loss %v in bursts of %v: lost %.4f, %.2f in a row", row.loss, row.burst, share, run)
		}
	}
}
