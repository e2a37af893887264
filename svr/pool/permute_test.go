package pool

import (
	"fmt"
	"testing"
)

// TestPermutationIsBijective: exhaustive over small and awkward sizes.
func TestPermutationIsBijective(t *testing.T) {
	p := newPermuter([16]byte{1})
	for n := uint32(1); n <= 400; n++ {
		checkBijection(t, p, n, uint16(n%3))
	}
	for _, n := range []uint32{1023, 4096, 65537, 122_870} {
		checkBijection(t, p, n, 7)
	}
}

func checkBijection(t *testing.T, p *permuter, n uint32, id uint16) {
	t.Helper()
	d := newDomain(n, id)
	seen := make([]bool, n)
	for i := range n {
		v := p.at(&d, i)
		if v >= n || seen[v] {
			t.Fatalf("n %d: element %d is %d: outside or twice", n, i, v)
		}
		seen[v] = true
		if got := p.position(&d, v); got != i {
			t.Fatalf("n %d: position of %d: got %d, want %d", n, v, got, i)
		}
	}
}

// TestPermutationInverseLarge samples the full space.
func TestPermutationInverseLarge(t *testing.T) {
	p, d, rnd := newPermuter([16]byte{2}), newDomain(603_881_476, 0), newRand(2)
	for range 20000 {
		i := rnd.Uint32N(d.n)
		if got := p.position(&d, p.at(&d, i)); got != i {
			t.Fatalf("position of at(%d): got %d", i, got)
		}
	}
}

// TestOrderIsUnpredictable: neither the pairs nor their differences repeat in
// order, and key, pathway and walk each give another order.
func TestOrderIsUnpredictable(t *testing.T) {
	for _, n := range []uint32{122_870, 603_881_476} {
		p, q := newPermuter([16]byte{1}), newPermuter([16]byte{2})
		d := newDomain(n, 0)
		other, cycle := newDomain(n, 1), d
		cycle.cycle = 1
		up, same := 0, map[string]int{}
		diffs, last := map[uint32]int{}, p.at(&d, 0)
		for i := uint32(1); i < 2000; i++ {
			v := p.at(&d, i)
			if v > last {
				up++
			}
			diffs[(v+n-last)%n]++
			for name, o := range map[string]uint32{"key": q.at(&d, i), "pathway": p.at(&other, i), "walk": p.at(&cycle, i)} {
				if o == v {
					same[name]++
				}
			}
			last = v
		}
		if up < 850 || up > 1150 {
			t.Errorf("n %d: %d of 1999 steps go up, want about half", n, up)
		}
		if len(diffs) < 1950 {
			t.Errorf("n %d: only %d different steps of 1999", n, len(diffs))
		}
		for name, c := range same {
			if c > 5 {
				t.Errorf("n %d: another %s agrees in %d of 1999 places", n, name, c)
			}
		}
	}
}

// TestPermutationIsFlat: chi-square of the local port in the first tenth of the
// walk, over 64 classes; 63 degrees of freedom, 130 has a chance below 10^-5.
func TestPermutationIsFlat(t *testing.T) {
	for _, n := range []uint32{122_870, 603_881_476} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p, d := newPermuter([16]byte{3}), newDomain(n, 0)
			const samples = 12287
			var classes [64]float64
			for i := range uint32(samples) {
				classes[uint64(p.at(&d, i))*64/uint64(n)]++
			}
			chi := 0.0
			for _, c := range classes {
				e := float64(samples) / 64
				chi += (c - e) * (c - e) / e
			}
			if chi > 130 {
				t.Errorf("chi-square: got %.1f", chi)
			}
		})
	}
}
