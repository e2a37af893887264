package main

import (
	"fmt"
	"strings"

	"waymark/cmd/lab/world"
)

// shown are the tables printed behind the steps: arguments of `waymark show`.
var shown = [][]string{{"peers"}, {"dhcp"}, {"sessions"}, {"waypoints"}, {"capacity"}, {"stats"}}

// maxRows bounds a printed table.
const maxRows = 24

// showAll prints what both routers say about the traffic they carried. A table
// that cannot be had counts as a failed step.
func (l *lab) showAll() {
	for _, r := range []struct {
		name   string
		router *world.Router
	}{{"branch1", l.branch}, {"hub1", l.hub}} {
		for _, args := range shown {
			fmt.Fprintf(l.out, "\n%s> show %s\n", r.name, strings.Join(args, " "))
			out, err := r.router.Show(args...)
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
