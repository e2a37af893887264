package config

import "strings"

// Suggestion is something that may be typed at a place of an editor.
type Suggestion struct {
	Text, Help string
	Hint       bool // stands for a value that cannot be listed
}

// Suggest lists what may follow words at a place; nothing if they are wrong.
func (d *Draft) Suggest(at Place, words []string) []Suggestion {
	e, err := d.base(at)
	if err != nil {
		return nil
	}
	t, err := (&walker{short: true}).walk(e, at, words)
	if err != nil {
		return nil
	}
	switch {
	case t.el.shape == leaf && len(t.values) > 0:
		return nil
	case t.el.shape == leaf || t.el.shape == leafList:
		return d.valuesOf(t.el)
	case t.el.shape == list && t.entry == nil:
		return t.keySuggestions()
	}
	var all []Suggestion
	for _, c := range t.el.children {
		all = append(all, Suggestion{Text: c.name, Help: c.doc})
	}
	return all
}

// keySuggestions are the entries there are, and the hint for another.
func (t *target) keySuggestions() []Suggestion {
	var all []Suggestion
	n := len(t.keys)
	for _, k := range t.parent.all(t.el.name) {
		keys := k.keys()
		fits := true
		for i, have := range t.keys {
			fits = fits && keys[i] == have
		}
		if fits {
			all = append(all, Suggestion{Text: keys[n], Help: "there already"})
		}
	}
	el := t.el.byName[t.el.keys[n]]
	for _, w := range el.typ.words {
		all = append(all, Suggestion{Text: w, Help: el.doc})
	}
	return append(all, Suggestion{Text: "<" + el.name + ">", Help: el.typ.allowed, Hint: true})
}

// valuesOf lists words, or the entries that a reference may name.
func (d *Draft) valuesOf(el *element) []Suggestion {
	var all []Suggestion
	for _, w := range el.typ.words {
		help := ""
		if w == el.defText {
			help = "default"
		}
		all = append(all, Suggestion{Text: w, Help: help})
	}
	if auth := d.top.kid("authority"); el.ref != "" && auth != nil {
		for _, k := range auth.all(el.ref) {
			all = append(all, Suggestion{Text: k.keys()[0], Help: "a " + el.ref})
		}
	}
	if len(el.typ.words) == 0 || el.typ.json != jBool && el.typ.allowed != strings.Join(el.typ.words, ", ") {
		all = append(all, Suggestion{Text: "<" + el.name + ">", Help: el.doc + ": " + el.typ.allowed, Hint: true})
	}
	return all
}
