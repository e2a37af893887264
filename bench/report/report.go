// Package report prints, writes and renders the figures of a run.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"waymark/bench/stats"
)

// Figure is a number, most often a paired ratio, and its goal; 0: for reference
// only. The goal is what it should be at least, or at most.
type Figure struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
	Goal   float64 `json:"goal"`
	Most   bool    `json:"at-most,omitempty"`
}

// NewFigure names a spread.
func NewFigure(id, name string, s stats.Spread, goal float64, most bool) Figure {
	return Figure{id, name, s.Median, s.Min, s.Max, s.Rounds, goal, most}
}

// Drawing is a picture beside the page.
type Drawing struct{ File, Title string }

// Absolute is what one contestant did by itself.
type Absolute struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// Report is a whole run.
type Report struct {
	Machine  Machine       `json:"machine"`
	Span     time.Duration `json:"-"` // of a measurement of packets
	Transfer time.Duration `json:"-"` // of a TCP transfer
	// Congestion is the congestion control of TCP senders.
	Congestion string    `json:"congestion"`
	Drawings   []Drawing `json:"-"`
	// Lines are the points of each drawing's series.
	Lines    map[string]map[string][][2]float64 `json:"lines,omitempty"`
	Figures  []Figure                           `json:"figures"`
	Absolute []Absolute                         `json:"absolute"`
}

// verdict says how a figure stands to its goal.
func (f Figure) verdict() string {
	switch {
	case f.Rounds == 0:
		return "failed"
	case f.Goal == 0:
		return ""
	case f.Most && f.Median <= f.Goal, !f.Most && f.Median >= f.Goal:
		return "reached"
	}
	return "missed"
}

func (f Figure) goal() string {
	if f.Goal == 0 {
		return ""
	}
	if f.Most {
		return fmt.Sprintf("≤ %g", f.Goal)
	}
	return fmt.Sprintf("≥ %g", f.Goal)
}

// Print writes the figures as a table for people.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "\n%-8s%-82s%8s  %-16s%8s  %s\n", "id", "figure", "median", "spread", "goal", "")
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%-8s%-82s%8.2f  %-16s%8s  %s\n", f.ID, f.Name, f.Median, spread(f.Min, f.Max), f.goal(), f.verdict())
	}
	fmt.Fprintf(w, "\n%-60s%8s  %-18s\n", "by itself", "median", "spread")
	for _, a := range r.Absolute {
		fmt.Fprintf(w, "%-60s%8.3f  %-18s %s\n", a.Name, a.Median, spread(a.Min, a.Max), a.Unit)
	}
}

func spread(low, high float64) string { return fmt.Sprintf("[%.3g … %.3g]", low, high) }

// WriteJSON writes the figures for machines.
func (r *Report) WriteJSON(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// WritePage renders the figures as Markdown.
func (r *Report) WritePage(file string) error {
	var b strings.Builder
	fmt.Fprintf(&b, pageHead, r.Machine, r.Span, r.Transfer)
	b.WriteString("| id | figure | median | spread | rounds | goal | |\n|---|---|---|---|---|---|---|\n")
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %s | %.2f | %s | %d | %s | %s |\n", f.ID, f.Name, f.Median, spread(f.Min, f.Max), f.Rounds, f.goal(), f.verdict())
	}
	for _, d := range r.Drawings {
		fmt.Fprintf(&b, "\n![%s](%s)\n", d.Title, d.File)
	}
	b.WriteString("\n## By themselves\n\nAbsolute rates move by a third with what else the machine does; trust the ratios.\n\n")
	b.WriteString("| contestant | median | spread | unit |\n|---|---|---|---|\n")
	for _, a := range r.Absolute {
		fmt.Fprintf(&b, "| %s | %.3f | %s | %s |\n", a.Name, a.Median, spread(a.Min, a.Max), a.Unit)
	}
	fmt.Fprintf(&b, pageMethod, r.Congestion)
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
