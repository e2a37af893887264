package report

import (
	"fmt"
	"strconv"
	"strings"
)

// Baseline is what a rendered page says: who measured, and the figures.
type Baseline struct {
	Machine string // CPU and cores; "" when the page has none
	Figures []Figure
}

// machineMark begins the page's line that tells where it was measured.
const machineMark = "Measured on: "

// ReadPage reads a page that WritePage rendered. Lines that are not understood
// are passed over: an older page simply has fewer figures.
func ReadPage(text string) Baseline {
	var b Baseline
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, machineMark); ok {
			b.Machine, _, _ = strings.Cut(rest, ", Linux ")
		}
		if f, ok := readRow(line); ok {
			b.Figures = append(b.Figures, f)
		}
	}
	return b
}

// readRow reads "| id | name | median | [min … max] | rounds | goal | verdict |".
func readRow(line string) (f Figure, ok bool) {
	c := strings.Split(line, "|")
	if len(c) != 9 {
		return f, false
	}
	for i := range c {
		c[i] = strings.TrimSpace(c[i])
	}
	f.ID, f.Name = c[1], c[2]
	low, high, _ := strings.Cut(strings.Trim(c[4], "[]"), " … ")
	var errs [4]error
	f.Median, errs[0] = strconv.ParseFloat(c[3], 64)
	f.Min, errs[1] = strconv.ParseFloat(low, 64)
	f.Max, errs[2] = strconv.ParseFloat(high, 64)
	f.Rounds, errs[3] = strconv.Atoi(c[5])
	for _, err := range errs {
		if err != nil {
			return f, false
		}
	}
	return f, true
}

// Fallen lists the figures whose median is worse than the baseline's by more than the
// spread, its own or today's. A page from another kind of machine proves nothing.
func (r *Report) Fallen(b Baseline) []string {
	if b.Machine != r.Machine.kind() {
		return nil
	}
	old := map[string]Figure{}
	for _, f := range b.Figures {
		old[f.ID] = f
	}
	var list []string
	for _, f := range r.Figures {
		o, known := old[f.ID]
		if known && f.Goal != 0 && f.worse(o) {
			list = append(list, fmt.Sprintf("%s fell to %.2f; committed: %.2f %s", f.ID, f.Median, o.Median, spread(o.Min, o.Max)))
		}
	}
	return list
}

// worse tells whether the median is worse than an older one by more than both spreads.
func (f Figure) worse(old Figure) bool {
	if f.Rounds == 0 {
		return true
	}
	if f.Most {
		return f.Median-old.Median > max(old.Max-old.Median, f.Max-f.Median)
	}
	return old.Median-f.Median > max(old.Median-old.Min, f.Median-f.Min)
}
