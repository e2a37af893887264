package fast_test

import (
	"testing"

	"waymark/svr/lane/fast"
)

// TestLoad: the verifier takes every form of both programs.
func TestLoad(t *testing.T) {
	w := newWorld(t, fast.Config{})
	for _, c := range []fast.PortConfig{
		{Index: 1, Untagged: 1},
		{Index: 1, Untagged: fast.NoNetif},
		{Index: 1, Untagged: 1, XDP: true},
		{Index: 1, Untagged: 1, L3: true},
	} {
		w.load(fast.ProgTC, c)
		if !c.L3 {
			w.load(fast.ProgXDP, c)
		}
	}
}
