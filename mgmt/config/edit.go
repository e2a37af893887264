package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"waymark/mgmt/near"
)

// Place is where in a draft somebody is: names and keys from the top, such as
// authority, router, branch1. No words are the top.
type Place []string

// Errors of editing. Their texts are made for people.
var (
	ErrNoName   = errors.New("unknown name")
	ErrNoValue  = errors.New("value is missing")
	ErrBadValue = errors.New("wrong value")
	ErrNotThere = errors.New("not there")
)

// target is what words name.
type target struct {
	parent *entry
	el     *element
	entry  *entry   // container, entry of a list, leaf; nil if it is not there
	keys   []string // of an entry of a list
	values []string // behind a leaf
	at     Place    // without values
}

// entries are the values of a leaf or leaf-list.
func (t *target) entries() []*entry { return t.parent.all(t.el.name) }

// walker follows words down a draft and makes what is missing, which becomes
// part of the draft when all goes well.
type walker struct {
	short bool     // names may be abbreviated
	fresh []*entry // not yet among the kids of their parents
}

// walk follows words from an entry.
func (w *walker) walk(e *entry, at Place, words []string) (*target, error) {
	t := &target{parent: e.parent, el: e.el, entry: e, at: slices.Clone(at)}
	for len(words) > 0 {
		el, err := t.entry.el.child(words[0], w.short)
		if err != nil {
			return nil, err
		}
		parent := t.entry
		t = &target{parent: parent, el: el, at: append(t.at, el.name)}
		words = words[1:]
		switch el.shape {
		case container:
			t.entry = w.kid(parent, el)
		case list:
			if len(words) < len(el.keys) {
				t.keys = words
				return t, nil
			}
			t.keys, words = words[:len(el.keys)], words[len(el.keys):]
			t.at = append(t.at, t.keys...)
			if t.entry, err = w.item(parent, el, t.keys); err != nil {
				return nil, err
			}
		default:
			t.entry, t.values = parent.kid(el.name), words
			return t, nil
		}
	}
	return t, nil
}

// child finds a child by name or, with short, by what begins it.
func (e *element) child(name string, short bool) (*element, error) {
	if c := e.byName[name]; c != nil {
		return c, nil
	}
	var found []string
	for _, c := range e.children {
		if short && name != "" && strings.HasPrefix(c.name, name) {
			found = append(found, c.name)
		}
	}
	switch len(found) {
	case 1:
		return e.byName[found[0]], nil
	case 0:
		if meant := near.Word(name, slices.Sorted(maps.Keys(e.byName))); meant != "" {
			return nil, fmt.Errorf("%w: %s; did you mean %s?", ErrNoName, word(name), meant)
		}
		return nil, fmt.Errorf("%w: %s; known here: %s", ErrNoName, word(name), e.childNames())
	}
	return nil, fmt.Errorf("%w: %s is one of %s", ErrNoName, word(name), strings.Join(found, ", "))
}

// kid returns the only child of a kind, made if it is missing.
func (w *walker) kid(parent *entry, el *element) *entry {
	for _, k := range w.kids(parent, el) {
		return k
	}
	e := &entry{el: el, parent: parent, label: el.name}
	w.fresh = append(w.fresh, e)
	return e
}

// kids are the children of a kind, fresh ones included.
func (w *walker) kids(parent *entry, el *element) []*entry {
	list := parent.all(el.name)
	for _, f := range w.fresh {
		if f.parent == parent && f.el == el {
			list = append(list, f)
		}
	}
	return list
}

// item returns the entry of a list with these keys, made if it is missing.
func (w *walker) item(parent *entry, el *element, keys []string) (*entry, error) {
	e := &entry{el: el, parent: parent, label: el.name + " " + strings.Join(keys, " ")}
	for i, name := range el.keys {
		k, err := newLeaf(e, el.byName[name], keys[i])
		if err != nil {
			return nil, err
		}
		e.kids = append(e.kids, k)
	}
	key, _ := e.key()
	for _, have := range w.kids(parent, el) {
		if k, full := have.key(); full && k == key {
			return have, nil
		}
	}
	w.fresh = append(w.fresh, e)
	return e, nil
}

// newLeaf reads a value. The leaf is not yet its parent's.
func newLeaf(parent *entry, el *element, text string) (*entry, error) {
	if _, err := el.kind(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadValue, err)
	}
	val, problem := el.typ.read(text)
	if problem != "" {
		shown := show(text, jString)
		if el.secret {
			shown = hidden
		}
		return nil, fmt.Errorf("%w: %s %s %s; allowed: %s", ErrBadValue, el.name, shown, problem, el.typ.allowed)
	}
	return &entry{el: el, parent: parent, label: el.name, text: text, val: val}, nil
}

// keep makes what was missing part of the draft.
func (w *walker) keep() {
	for _, e := range w.fresh {
		e.parent.kids = append(e.parent.kids, e)
	}
	w.fresh = nil
}

// base returns the entry of a place.
func (d *Draft) base(at Place) (*entry, error) {
	t, err := d.find(nil, at)
	if err != nil {
		return nil, err
	}
	if t.entry == nil || t.el.shape == leaf || t.el.shape == leafList {
		return nil, fmt.Errorf("%w: %s", ErrNotThere, strings.Join(at, " "))
	}
	return t.entry, nil
}

// find follows words and makes nothing.
func (d *Draft) find(at Place, words []string) (*target, error) {
	w := &walker{short: true}
	t, err := w.walk(d.top, nil, append(slices.Clone(at), words...))
	if err == nil && len(w.fresh) > 0 {
		err = fmt.Errorf("%w: %s", ErrNotThere, strings.Join(t.at, " "))
	}
	return t, err
}

// Set does what a line in an editor says: words name a leaf and its value, or a
// block to make if it is missing. It returns the place of the block, or at
// after a leaf. On error the draft is as it was.
func (d *Draft) Set(at Place, words []string) (Place, error) {
	return d.set(at, words, true)
}

func (d *Draft) set(at Place, words []string, short bool) (Place, error) {
	e, err := d.base(at)
	if err != nil {
		return at, err
	}
	w := &walker{short: short}
	t, err := w.walk(e, at, words)
	if err != nil {
		return at, err
	}
	switch t.el.shape {
	case leaf:
		err = t.setLeaf()
	case leafList:
		err = t.addValues()
	case list:
		if t.entry == nil {
			return at, fmt.Errorf("%w: %s takes %s", ErrNoValue, t.el.name, strings.Join(t.el.keys, " and "))
		}
	}
	if err != nil {
		return at, err
	}
	w.keep()
	if t.el.shape == container || t.el.shape == list {
		return t.at, nil
	}
	return at, nil
}

func (t *target) setLeaf() error {
	if len(t.values) != 1 {
		return fmt.Errorf("%w: %s takes one: %s", ErrNoValue, t.el.name, t.el.typ.allowed)
	}
	e, err := newLeaf(t.parent, t.el, t.values[0])
	if err != nil {
		return err
	}
	if slices.Contains(t.parent.el.keys, t.el.name) && t.entry != nil && t.entry.canonical() != e.canonical() {
		return fmt.Errorf("%w: %s is the key of %s; delete the one and make another", ErrBadValue, t.el.name, t.parent.label)
	}
	if t.entry != nil {
		t.entry.text, t.entry.val = e.text, e.val
		return nil
	}
	t.parent.kids = append(t.parent.kids, e)
	return nil
}

func (t *target) addValues() error {
	if len(t.values) == 0 {
		return fmt.Errorf("%w: %s takes one or more: %s", ErrNoValue, t.el.name, t.el.typ.allowed)
	}
	var fresh []*entry
	for _, v := range t.values {
		e, err := newLeaf(t.parent, t.el, v)
		if err != nil {
			return err
		}
		same := func(o *entry) bool { return o.canonical() == e.canonical() }
		if !slices.ContainsFunc(append(t.entries(), fresh...), same) {
			fresh = append(fresh, e)
		}
	}
	t.parent.kids = append(t.parent.kids, fresh...)
	return nil
}

// Delete removes what words name: a leaf, a value of a leaf-list, a block.
func (d *Draft) Delete(at Place, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("%w: what?", ErrNoValue)
	}
	t, err := d.find(at, words)
	if err != nil {
		return err
	}
	gone := func(k *entry) bool { return k == t.entry }
	switch t.el.shape {
	case list:
		if t.entry == nil {
			return fmt.Errorf("%w: which %s?", ErrNoValue, t.el.name)
		}
	case leaf, leafList:
		if slices.Contains(t.parent.el.keys, t.el.name) {
			return fmt.Errorf("%w: %s is the key of %s", ErrBadValue, t.el.name, t.parent.label)
		}
		gone = func(k *entry) bool {
			return k.el == t.el && (len(t.values) == 0 || slices.Contains(t.values, k.text))
		}
	}
	before := len(t.parent.kids)
	t.parent.kids = slices.DeleteFunc(t.parent.kids, gone)
	if len(t.parent.kids) == before {
		return fmt.Errorf("%w: %s", ErrNotThere, strings.Join(append(t.at, t.values...), " "))
	}
	return nil
}

// Has tells whether a place is there.
func (d *Draft) Has(at Place) bool { _, err := d.base(at); return err == nil }
