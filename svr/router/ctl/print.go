package ctl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Printer writes an answer as text.
type Printer struct {
	Table  *Table
	Detail bool
	rows   [][][]string // cells, each a list of lines
}

// columns are those that text shows.
func (p *Printer) columns() (list []Column) {
	for _, c := range p.Table.Visible(p.Detail) {
		if !c.Extra && c.Kind != Object {
			list = append(list, c)
		}
	}
	return list
}

// Add takes one row of the answer.
func (p *Printer) Add(row json.RawMessage) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(row, &values); err != nil {
		return fmt.Errorf("read row: %w", err)
	}
	var cells [][]string
	for _, c := range p.columns() {
		cell, err := c.text(values[c.Key()])
		if err != nil {
			return fmt.Errorf("read %s: %w", c.Key(), err)
		}
		cells = append(cells, cell)
	}
	p.rows = append(p.rows, cells)
	return nil
}

// Flush writes everything. began is when the request was sent.
func (p *Printer) Flush(to io.Writer, end End, began time.Time) error {
	w := bufio.NewWriter(to)
	fmt.Fprintln(w, time.Now().UTC().Format("Mon 2006-01-02 15:04:05 UTC"))
	if p.Table.Title != "" {
		fmt.Fprintf(w, p.Table.Title+"\n", end.Node)
	}
	if p.Table.Count != "" {
		fmt.Fprintf(w, p.Table.Count+"\n", len(p.rows))
	}
	switch p.Table.Layout {
	case Blocks:
		p.blocks(w, end.Node)
	case Pairs:
		p.pairs(w)
	default:
		p.frame(w)
	}
	if p.Table.Tail != "" {
		fmt.Fprintln(w, strings.ReplaceAll(p.Table.Tail, "%d", strconv.Itoa(end.Shelved)))
	}
	fmt.Fprintf(w, "Completed in %.2f seconds\n", time.Since(began).Seconds())
	return w.Flush()
}

// frame prints a table between rules, one space around each cell.
func (p *Printer) frame(w *bufio.Writer) {
	cols := p.columns()
	width := make([]int, len(cols))
	for i, c := range cols {
		width[i] = len([]rune(c.Header))
		for _, r := range p.rows {
			for _, line := range r[i] {
				width[i] = max(width[i], len([]rune(line)))
			}
		}
	}
	rule := func(by string) {
		var line strings.Builder
		for _, n := range width {
			line.WriteString(by + strings.Repeat("=", n) + by)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	rule("=")
	heads := make([][]string, len(cols))
	for i, c := range cols {
		heads[i] = []string{c.Header}
	}
	printRow(w, cols, heads, width)
	rule(" ")
	for _, r := range p.rows {
		printRow(w, cols, r, width)
	}
	rule("=")
}

func printRow(w *bufio.Writer, cols []Column, cells [][]string, width []int) {
	height := 1
	for _, c := range cells {
		height = max(height, len(c))
	}
	for k := range height {
		var line strings.Builder
		for i, c := range cells {
			text := ""
			if k < len(c) {
				text = c[k]
			}
			pad := strings.Repeat(" ", width[i]-len([]rune(text)))
			if cols[i].right() {
				line.WriteString(" " + pad + text + " ")
			} else {
				line.WriteString(" " + text + pad + " ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// blocks prints one block per row, titled NODE:NAME.
func (p *Printer) blocks(w *bufio.Writer, node string) {
	rule := strings.Repeat("=", 60)
	fmt.Fprintln(w, rule)
	for _, r := range p.rows {
		fmt.Fprintf(w, " %s:%s\n%s\n", node, strings.Join(r[0], " "), rule)
		for i, c := range p.columns()[1:] {
			if c.Optional && len(r[i+1]) == 1 && r[i+1][0] == "-" {
				continue
			}
			fmt.Fprintf(w, " %-22s %s\n", c.Header+":", strings.Join(r[i+1], ", "))
		}
		fmt.Fprintln(w)
	}
}

func (p *Printer) pairs(w *bufio.Writer) {
	width := 0
	for _, c := range p.columns() {
		width = max(width, len(c.Header)+1)
	}
	for _, r := range p.rows {
		for i, c := range p.columns() {
			fmt.Fprintf(w, " %-*s %s\n", width, c.Header+":", strings.Join(r[i], ", "))
		}
	}
}
