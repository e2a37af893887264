package ctl

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknown is the answer to a request for something that no table is called.
var ErrUnknown = errors.New("unknown")

// Find returns the table of that name. The error is ErrUnknown with every name
// there is and the nearest one.
func Find(what string) (*Table, error) {
	for i := range Tables {
		if Tables[i].What == what {
			return &Tables[i], nil
		}
	}
	hint := ""
	if near := nearest(what); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return nil, fmt.Errorf("show %q: %w%s\nknown: %s", what, ErrUnknown, hint, strings.Join(Names(), ", "))
}

// Names lists the names of all tables.
func Names() []string {
	list := make([]string, len(Tables))
	for i := range Tables {
		list[i] = Tables[i].What
	}
	return list
}

// nearest returns the table whose name is like what: it begins with it, or two
// changes of a letter make one of the other. Empty when there is none.
func nearest(what string) string {
	best, least := "", 3
	for i := range Tables {
		name := Tables[i].What
		if len(what) >= 3 && strings.HasPrefix(name, what) {
			return name
		}
		if d := distance(what, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the edit distance of two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
