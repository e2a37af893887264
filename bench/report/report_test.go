package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/bench/report"
	"waymark/bench/stats"
)

func page(t *testing.T, r *report.Report) report.Baseline {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.md")
	if err := r.WritePage(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return report.ReadPage(string(b))
}

func one(cpu string, s stats.Spread, goal float64, most bool) *report.Report {
	return &report.Report{Machine: report.Machine{CPU: cpu, Cores: 2, Kernel: "6.1"},
		Figures: []report.Figure{report.NewFigure("1a", "this / that", s, goal, most)}}
}

func TestFallen(t *testing.T) {
	committed := page(t, one("x", stats.Spread{Median: 4, Min: 3.5, Max: 5, Rounds: 7}, 3, false))
	for _, c := range []struct {
		name string
		now  *report.Report
		want int
	}{
		{"same", one("x", stats.Spread{Median: 4, Min: 3, Max: 5, Rounds: 7}, 3, false), 0},
		{"inside the spread", one("x", stats.Spread{Median: 3.6, Min: 3, Max: 5, Rounds: 7}, 3, false), 0},
		{"below the spread", one("x", stats.Spread{Median: 3.4, Min: 3, Max: 5, Rounds: 7}, 3, false), 1},
		{"below the spread of then, inside that of now", one("x", stats.Spread{Median: 3.4, Min: 2.7, Max: 5, Rounds: 7}, 3, false), 0},
		{"another machine", one("y", stats.Spread{Median: 1, Min: 1, Max: 1, Rounds: 7}, 3, false), 0},
		{"for reference only", one("x", stats.Spread{Median: 1, Min: 1, Max: 1, Rounds: 7}, 0, false), 0},
		{"no round gave a value", one("x", stats.Spread{}, 3, false), 1},
		{"of which less is better, above the spread", one("x", stats.Spread{Median: 5.1, Min: 3, Max: 6, Rounds: 7}, 3, true), 1},
		{"of which less is better, below the spread", one("x", stats.Spread{Median: 3.4, Min: 3, Max: 6, Rounds: 7}, 3, true), 0},
		{"of which less is better, no value", one("x", stats.Spread{}, 3, true), 1},
	} {
		if got := c.now.Fallen(committed); len(got) != c.want {
			t.Errorf("%s: got %q, want %d figures", c.name, got, c.want)
		}
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	one("x", stats.Spread{Median: 2, Min: 1, Max: 3, Rounds: 3}, 3, false).Print(&b)
	for _, want := range []string{"1a", "this / that", "2.00", "[1 … 3]", "≥ 3", "missed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got %q, want %q in it", b.String(), want)
		}
	}
}
