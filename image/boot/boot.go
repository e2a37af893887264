// Package boot is what init does before anything else, as a table: mounts, nodes,
// links, kernel parameters, modules, each fatal or not. The package is pure: a
// Machine carries the table out, or a test's notes.
package boot

import "fmt"

// Need says what a failure means.
type Need bool

// Without a Fatal row the box is of no use and starts again; without an Optional
// one it does less.
const (
	Optional Need = false
	Fatal    Need = true
)

// Mount mounts a file system; a target that is missing is made.
type Mount struct {
	Type, Target, Options string
	Flags                 uintptr // MS_…
	Need
}

// Node makes a device node unless it is there.
type Node struct {
	Path         string
	Major, Minor uint32
	Need
}

// Link makes a symbolic link unless it is there.
type Link struct{ Path, Target string }

// Setting writes a kernel parameter.
type Setting struct {
	Path, Value string // below /proc/sys
	Need
}

// Module loads a module and what it needs; one that is built in is there.
type Module struct {
	Name, Params string
	Need
}

// Table is everything, in the order in which it is done: mounts, nodes, links,
// settings, modules.
type Table struct {
	Mounts   []Mount
	Nodes    []Node
	Links    []Link
	Settings []Setting
	Modules  []Module
}

// Machine does one row. Doing a row again is no error.
type Machine interface {
	Mount(Mount) error
	Node(Node) error
	Link(Link) error
	Set(Setting) error
	Load(Module) error
}

// Run does the rows in order. note hears of each optional row that failed; the
// first fatal one ends the boot.
func (t *Table) Run(m Machine, note func(error)) error {
	for _, r := range t.rows(m) {
		err := r.do()
		switch {
		case err == nil:
		case r.need == Fatal:
			return fmt.Errorf("%s: %w", r.what, err)
		default:
			note(fmt.Errorf("%s: %w", r.what, err))
		}
	}
	return nil
}

type row struct {
	what string
	need Need
	do   func() error
}

func (t *Table) rows(m Machine) (rows []row) {
	add := func(need Need, do func() error, format string, args ...any) {
		rows = append(rows, row{fmt.Sprintf(format, args...), need, do})
	}
	for _, x := range t.Mounts {
		add(x.Need, func() error { return m.Mount(x) }, "mount %s", x.Target)
	}
	for _, x := range t.Nodes {
		add(x.Need, func() error { return m.Node(x) }, "make node %s", x.Path)
	}
	for _, x := range t.Links {
		add(Optional, func() error { return m.Link(x) }, "link %s", x.Path)
	}
	for _, x := range t.Settings {
		add(x.Need, func() error { return m.Set(x) }, "set %s", x.Path)
	}
	for _, x := range t.Modules {
		add(x.Need, func() error { return m.Load(x) }, "load module %s", x.Name)
	}
	return rows
}
