package main

import (
	"context"
	"fmt"
	"strings"

	"waymark/cmd/lab/machine"
)

// shown are the tables printed behind the steps: arguments of `waymark show`.
var shown = [][]string{{"peers"}, {"dhcp"}, {"sessions"}, {"waypoints"}, {"capacity"}, {"stats"}}

// maxRows bounds a printed table.
const maxRows = 24

// shownOfBox are asked of a machine, which takes a second for each.
var shownOfBox = [][]string{{"peers"}, {"dhcp"}, {"sessions"}}

// showAll prints what both routers say about the traffic they carried. A table
// that cannot be had counts as a failed step.
func (l *lab) showAll(ctx context.Context) {
	branch, tables := func(args ...string) (string, error) { return l.branch.Show(args...) }, shown
	if box, ok := l.scene.Branch.(*machine.Branch); ok {
		branch, tables = func(args ...string) (string, error) { return box.Show(ctx, args...) }, shownOfBox
	}
	for _, r := range []struct {
		name   string
		show   func(args ...string) (string, error)
		tables [][]string
	}{{"branch1", branch, tables}, {"hub1", l.hub.Show, shown}} {
		for _, args := range r.tables {
			fmt.Fprintf(l.out, "\n%s> show %s\n", r.name, strings.Join(args, " "))
			out, err := r.show(args...)
			if err != nil {
				l.failed = append(l.failed, "show "+args[0])
				out = err.Error()
			}
			fmt.Fprintln(l.out, shorten(out, maxRows))
		}
	}
	fmt.Fprintln(l.out)
}

// shorten cuts a table behind so many lines and says how many were cut.
func shorten(table string, rows int) string {
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	if len(lines) <= rows {
		return strings.Join(lines, "\n")
	}
	return strings.Join(lines[:rows], "\n") + fmt.Sprintf("\n … and %d more lines", len(lines)-rows)
}
