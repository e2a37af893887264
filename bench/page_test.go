package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/bench/report"
)

// TestPage: the page names its figures and drawings, the drawings lie beside it,
// and what it says can be read back.
func TestPage(t *testing.T) {
	values := map[string][]float64{ppsLane: {4e6, 5e6}, ppsLaneM: {2e6, 2e6}, ppsKernel: {1e6, 1e6},
		memoryCPE: {30e6, 31e6}, sweepXDP: {0.5, 1}}
	b := &bench{curves: map[string][]curve{sweepXDP: {sweepOf(0.5, 1, 2, 2), sweepOf(0.5, 1, 2, 2)}}}
	r := b.report(report.Machine{CPU: "x", Cores: 2}, figures, values)
	page := filepath.Join(t.TempDir(), "performance.md")
	if err := b.draw(page, r, values); err != nil {
		t.Fatal(err)
	}
	if err := r.WritePage(page); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"performance-sessions.svg", "performance-load.svg"} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(page), d)); err != nil || !strings.Contains(string(text), "("+d+")") {
			t.Errorf("%s: %v, or the page does not show it", d, err)
		}
	}
	want := map[string]float64{"1": 4.5, "4b": 2, "10c": 0.75, "12a": 30.5}
	for _, f := range report.ReadPage(string(text)).Figures {
		if f.Median != want[f.ID] {
			t.Errorf("figure %s: got %v, want %v", f.ID, f.Median, want[f.ID])
		}
		delete(want, f.ID)
	}
	if len(want) > 0 {
		t.Errorf("the page lacks figures %v", want)
	}
}
