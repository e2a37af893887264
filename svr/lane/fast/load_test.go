package fast_test

import (
	"testing"
	"time"

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
		progs := []string{fast.ProgTC, fast.ProgXDP}
		if c.L3 {
			progs = progs[:1]
		}
		for _, name := range progs {
			start := time.Now()
			info, err := w.load(name, c).Info()
			if err != nil {
				t.Fatal(err)
			}
			insns, _ := info.VerifiedInstructions()
			size, _ := info.JitedSize()
			t.Logf("%s: verified %d instructions in %v, %d bytes of machine code", name, insns, time.Since(start), size)
		}
	}
}
