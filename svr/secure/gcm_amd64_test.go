package secure

import "testing"

// TestNarrow holds the way of smaller CPUs too where this one has the wide way.
func TestNarrow(t *testing.T) {
	defer func(w bool) { haveWide = w }(haveWide)
	haveWide = false
	for name, test := range map[string]func(*testing.T){
		"lengths": TestGCMLengths, "published": TestGCMPublished, "wraps": TestGCMCounterWraps,
		"edges": TestGHASHEdges, "flipped": TestGCMFlippedBits, "rekeyed": TestRekeyed,
	} {
		t.Run(name, test)
	}
}
