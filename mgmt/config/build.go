package config

import (
	"fmt"
	"strings"
)

// builder turns JSON into entries and collects every fault on the way.
type builder struct {
	finds collector
}

// fill reads the members of an object into e, which exists already.
func (b *builder) fill(e *entry, v *jval) {
	if !b.want(e, v, jObject) {
		return
	}
	b.label(e, v)
	seen := make(map[string]bool, len(v.members))
	for _, m := range v.members {
		child := e.el.byName[m.key]
		switch {
		case child == nil:
			b.finds.add(Error, e.below(word(m.key)), "", "is unknown here", e.el.childNames())
		case seen[m.key]:
			b.finds.add(Error, e.below(m.key), "", "stands here twice", "")
		default:
			b.member(e, child, m.val)
		}
		seen[m.key] = true
	}
	for _, c := range e.el.children {
		if c.required && !seen[c.name] {
			b.finds.add(Error, e.below(c.name), "", missing, c.typ.allowed)
		}
	}
}

// label names a list entry by its keys, before anything else can go wrong.
func (b *builder) label(e *entry, v *jval) {
	if e.el.shape != list {
		return
	}
	parts := []string{e.el.name}
	for _, key := range e.el.keys {
		for _, m := range v.members {
			if m.key == key && m.val.kind&(jString|jNumber|jBool) != 0 {
				parts = append(parts, word(m.val.text))
				break
			}
		}
	}
	if len(parts) > 1 {
		e.label = strings.Join(parts, " ")
	}
}

// member reads one child, whatever its shape.
func (b *builder) member(parent *entry, el *element, v *jval) {
	e := &entry{el: el, parent: parent, label: el.name}
	switch el.shape {
	case container:
		parent.kids = append(parent.kids, e)
		b.fill(e, v)
	case leaf:
		parent.kids = append(parent.kids, e)
		b.leaf(e, v)
	default:
		b.items(e, v)
	}
}

// items reads a list or leaf-list; e stands for the list itself and is no
// part of the tree.
func (b *builder) items(e *entry, v *jval) {
	if !b.want(e, v, jArray) {
		return
	}
	if e.el.required && len(v.items) == 0 {
		b.finds.add(Error, e.path(), "", "is empty", "one or more")
	}
	seen := make(map[string]bool, len(v.items))
	for i, item := range v.items {
		k := &entry{el: e.el, parent: e.parent, label: e.el.name}
		e.parent.kids = append(e.parent.kids, k)
		if e.el.shape == leafList {
			b.leaf(k, item)
		} else {
			k.label = fmt.Sprintf("%s [%d]", e.el.name, i+1)
			b.fill(k, item)
		}
		b.unique(k, seen)
	}
}

// unique refuses a second entry of the same key.
func (b *builder) unique(e *entry, seen map[string]bool) {
	key, full := e.key()
	if !full {
		return
	}
	if seen[key] {
		b.finds.add(Error, e.path(), e.shown(), "stands here twice", "")
	}
	seen[key] = true
}

// key returns what makes an entry one of its kind among its siblings; full is
// false if a key leaf is missing. Equal values in other words (fd00::1 and
// fd00:0::1) are one key.
func (e *entry) key() (key string, full bool) {
	if e.el.shape == leafList {
		return e.canonical(), e.text != ""
	}
	for _, name := range e.el.keys {
		k := e.kid(name)
		if k == nil || k.text == "" {
			return "", false
		}
		key += k.canonical() + "\x00"
	}
	return key, len(e.el.keys) > 0
}

func (e *entry) canonical() string {
	if e.val == nil {
		return e.text
	}
	return fmt.Sprint(e.val)
}

// leaf reads one value; a bad one leaves the default behind, so that reading
// goes on.
func (b *builder) leaf(e *entry, v *jval) {
	e.val = e.el.def
	if !b.want(e, v, e.el.typ.json) {
		return
	}
	e.text = v.text
	val, problem := e.el.typ.read(v.text)
	if problem != "" {
		b.finds.add(Error, e.path(), e.shownAs(v.kind), problem, e.el.typ.allowed)
		return
	}
	e.val = val
	if e.el.notYet && v.text != e.el.defText {
		b.finds.add(Warning, e.path(), e.shownAs(v.kind), "is not yet effective", "")
	}
}

// want reports a value of the wrong JSON kind.
func (b *builder) want(e *entry, v *jval, kinds jkind) bool {
	if v.kind&kinds != 0 {
		return true
	}
	value := ""
	if v.kind&(jString|jNumber|jBool) != 0 {
		value = e.shownText(v.text, v.kind)
	}
	allowed := ""
	if e.el.shape == leaf || e.el.shape == leafList && kinds != jArray {
		allowed = e.el.typ.allowed
	}
	b.finds.add(Error, e.path(), value, fmt.Sprintf("is %v, must be %v", v.kind, kinds), allowed)
	return false
}

func (e *entry) shown() string {
	if e.el.shape != leafList {
		return ""
	}
	return e.shownAs(e.el.typ.json)
}

func (e *entry) shownAs(kind jkind) string { return e.shownText(e.text, kind) }

// shownText returns a value as a finding may show it.
func (e *entry) shownText(text string, kind jkind) string {
	if e.el.secret {
		return "(hidden)"
	}
	return show(text, kind)
}

// missing is the problem of what must be there.
const missing = "is missing"
