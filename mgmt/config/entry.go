package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// entry is one instance of a schema element in a configuration. Every entry of
// a list and every value of a leaf-list is an entry of its own.
type entry struct {
	el     *element
	parent *entry
	label  string // in paths: "router branch1"
	text   string // of a leaf: as written
	val    any    // of a leaf: as typ reads it; the default (or nil) when text is bad
	kids   []*entry
}

// path returns "authority > router branch1 > …"; the top of the file has none.
func (e *entry) path() string {
	var parts []string
	for ; e != nil && e.parent != nil; e = e.parent {
		parts = append(parts, e.label)
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, " > ")
}

// below returns the path of a child that need not exist.
func (e *entry) below(label string) string {
	if p := e.path(); p != "" {
		return p + " > " + label
	}
	return label
}

// kid returns the only child of that name, or nil.
func (e *entry) kid(name string) *entry {
	for _, k := range e.kids {
		if k.el.name == name {
			return k
		}
	}
	return nil
}

// all returns the children of that name in order.
func (e *entry) all(name string) []*entry {
	var found []*entry
	for _, k := range e.kids {
		if k.el.name == name {
			found = append(found, k)
		}
	}
	return found
}

// sub returns the container of that name; an absent one is empty, so that its
// defaults can be read.
func (e *entry) sub(name string) *entry {
	if k := e.kid(name); k != nil {
		return k
	}
	return &entry{el: e.el.byName[name], parent: e, label: name}
}

// get returns the value of a leaf: as written, else its default, else zero.
// A leaf that the schema lacks is a mistake of this package and panics.
func get[T any](e *entry, name string) T {
	var v T
	switch k := e.kid(name); {
	case k != nil:
		v, _ = k.val.(T)
	case e.el.byName[name].def != nil:
		v, _ = e.el.byName[name].def.(T)
	}
	return v
}

func (e *entry) str(name string) string      { return get[string](e, name) }
func (e *entry) num(name string) int         { return int(get[int64](e, name)) }
func (e *entry) flag(name string) bool       { return get[bool](e, name) }
func (e *entry) addr(name string) netip.Addr { return get[netip.Addr](e, name) }

// values returns the values of a leaf-list.
func values[T any](e *entry, name string) []T {
	var vs []T
	for _, k := range e.all(name) {
		if v, ok := k.val.(T); ok {
			vs = append(vs, v)
		}
	}
	return vs
}

// each decodes every entry of a list.
func each[T any](e *entry, name string, decode func(*entry) T) []T {
	var vs []T
	for _, k := range e.all(name) {
		vs = append(vs, decode(k))
	}
	return vs
}

// maxShown bounds a value in a finding.
const maxShown = 80

// show returns text as a finding prints it: strings quoted, which also keeps
// control characters away from the terminal.
func show(text string, kind jkind) string {
	if r := []rune(text); len(r) > maxShown {
		text = string(r[:maxShown]) + "…"
	}
	if kind == jNumber || kind == jBool || kind == jNull {
		return text
	}
	return strconv.Quote(text)
}

// word returns text for a path: plain where it is plain, else quoted.
func word(text string) string {
	plain := text != "" && len(text) <= maxShown
	for _, r := range text {
		plain = plain && r > ' ' && r < 0x7f && r != '"' && r != '>'
	}
	if plain {
		return text
	}
	return show(text, jString)
}
