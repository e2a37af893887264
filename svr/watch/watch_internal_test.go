package watch

import "testing"

// Discriminators are unique in a router and never 0.
func TestDiscriminators(t *testing.T) {
	used := map[uint32]bool{0: true}
	seen := map[uint32]bool{}
	for range 10_000 {
		d := discriminator(used)
		if d == 0 || seen[d] {
			t.Fatalf("discriminator %x: 0 or used twice", d)
		}
		seen[d] = true
	}
}
