package config

import (
	"slices"

	"waymark/mgmt/token"
)

// Change is one difference between two drafts.
type Change struct {
	Op     byte     // '+' only in the new one, '-' only in the old one, '~' in another order
	Words  []string // flat: authority router r1 … name value; without value for '~'
	Effect Effect
}

// String is the line that `compare` prints, without the effect.
func (c Change) String() string { return string(c.Op) + " " + token.Join(c.Words) }

// line is a value in the flat form.
type line struct {
	key    string // canonical: what makes it one of its kind
	words  []string
	effect Effect
}

// Compare returns what is different in o, in the order of the files, secrets
// hidden.
func (d *Draft) Compare(o *Draft) (changes []Change) {
	before, after := d.lines(), o.lines()
	have := func(lines []line) map[string]bool {
		set := make(map[string]bool, len(lines))
		for _, l := range lines {
			set[l.key] = true
		}
		return set
	}
	old, new := have(before), have(after)
	for _, l := range before {
		if !new[l.key] {
			changes = append(changes, Change{'-', l.words, l.effect})
		}
	}
	for _, l := range after {
		if !old[l.key] {
			changes = append(changes, Change{'+', l.words, l.effect})
		}
	}
	return append(changes, moved(d.top, o.top, nil, nil)...)
}

// Dearest returns the most expensive effect among changes, Free for none.
func Dearest(list []Change) (e Effect) {
	for _, c := range list {
		if c.Effect.Class > e.Class {
			e = c.Effect
		}
	}
	return e
}

// lines are all values of a draft.
func (d *Draft) lines() (all []line) {
	var walk func(e *entry, names, words []string, key string)
	walk = func(e *entry, names, words []string, key string) {
		for _, el := range e.el.children {
			for _, k := range e.all(el.name) {
				names := append(names[:len(names):len(names)], el.name)
				words := append(words[:len(words):len(words)], el.name)
				key := key + "\x00" + el.name
				if el.shape == container || el.shape == list {
					id, _ := k.key()
					walk(k, names, append(words, k.keys()...), key+"\x01"+id)
					continue
				}
				text := k.text
				if el.secret {
					text = hidden
				}
				effect, _ := effectOf(el, names)
				all = append(all, line{key + "\x02" + k.canonical(), append(words, text), effect})
			}
		}
	}
	walk(d.top, nil, nil, "")
	return all
}

// moved finds lists whose common entries stand in another order.
func moved(a, b *entry, names, words []string) (changes []Change) {
	for _, el := range a.el.children {
		names := append(names[:len(names):len(names)], el.name)
		words := append(words[:len(words):len(words)], el.name)
		as, bs := a.all(el.name), b.all(el.name)
		if el.shape != leaf && el.shape != container && !slices.Equal(common(as, bs), common(bs, as)) {
			effect, _ := effectOf(el, names)
			if el.shape == list {
				effect, _ = effectOf(el.byName[el.keys[0]], append(names, el.keys[0]))
			}
			changes = append(changes, Change{'~', words, effect})
		}
		if el.shape == leaf || el.shape == leafList {
			continue
		}
		for _, k := range as {
			id, _ := k.key()
			for _, l := range bs {
				if other, _ := l.key(); other == id {
					changes = append(changes, moved(k, l, names, append(words, k.keys()...))...)
				}
			}
		}
	}
	return changes
}

// common are the keys of a list that another has too, in this one's order.
func common(a, b []*entry) (keys []string) {
	set := map[string]bool{}
	for _, e := range b {
		k, _ := e.key()
		set[k] = true
	}
	for _, e := range a {
		if k, _ := e.key(); set[k] {
			keys = append(keys, k)
		}
	}
	return keys
}
