package config

import "strings"

// shape of an element in the tree.
type shape uint8

const (
	container shape = iota
	list            // entries are containers with keys
	leaf
	leafList
)

// element is one node of the schema: what may stand at a place of the tree.
type element struct {
	name     string
	shape    shape
	doc      string
	keys     []string // of a list: names of its key leaves
	children []*element
	byName   map[string]*element

	typ      valueType
	def      any    // default value as typ reads it; nil: none
	defText  string // default as written, "" none
	required bool
	ref      string // the authority's list that must hold the value as key
	secret   bool   // findings never show the value
	notYet   bool   // accepted with a warning, see effect.go
}

// cont is a container.
func cont(name, doc string, children ...*element) *element {
	e := &element{name: name, shape: container, doc: doc, children: children}
	e.byName = make(map[string]*element, len(children))
	for _, c := range children {
		e.byName[c.name] = c
	}
	return e
}

// listOf is a list; keys are the names of its key leaves, separated by blanks.
func listOf(name, keys, doc string, children ...*element) *element {
	e := cont(name, doc, children...)
	e.shape, e.keys = list, strings.Fields(keys)
	for _, k := range e.keys {
		e.byName[k].required = true
	}
	return e
}

// lf is a leaf; def is its default as written, "" for none.
func lf(name string, t valueType, def, doc string) *element {
	e := &element{name: name, shape: leaf, doc: doc, typ: t, defText: def}
	if def != "" {
		val, problem := t.read(def)
		if problem != "" {
			panic("default of " + name + " " + problem)
		}
		e.def = val
	}
	return e
}

// ll is a leaf-list.
func ll(name string, t valueType, doc string) *element {
	return &element{name: name, shape: leafList, doc: doc, typ: t}
}

// must makes the element required; a list or leaf-list needs an entry.
func (e *element) must() *element { e.required = true; return e }

// to makes the leaf a reference to an entry of one of the authority's lists.
func (e *element) to(list string) *element { e.ref = list; return e }

// hide keeps the value out of findings.
func (e *element) hide() *element { e.secret = true; return e }

// childNames lists what may stand below the element.
func (e *element) childNames() string {
	names := make([]string, len(e.children))
	for i, c := range e.children {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// at returns the element at a path of names below e, nil if there is none.
func (e *element) at(path ...string) *element {
	for _, p := range path {
		if e = e.byName[p]; e == nil {
			return nil
		}
	}
	return e
}
