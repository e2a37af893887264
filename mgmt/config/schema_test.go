package config

import (
	"regexp"
	"strings"
	"testing"
)

// TestSchemaIsWhole walks every element: names are kebab-case and documented,
// keys exist, references name a list of the authority.
func TestSchemaIsWhole(t *testing.T) {
	auth := root().at("authority")
	var walk func(path string, e *element)
	walk = func(path string, e *element) {
		path += "/" + e.name
		if e.name != strings.ToLower(e.name) || strings.ContainsAny(e.name, "_ ") {
			t.Errorf("%s: name is not kebab-case", path)
		}
		if e.doc == "" {
			t.Errorf("%s: no doc", path)
		}
		if (e.shape == leaf || e.shape == leafList) == (e.typ.read == nil) {
			t.Errorf("%s: shape and type disagree", path)
		}
		if e.ref != "" && auth.at(e.ref) == nil {
			t.Errorf("%s: refers to no list: %s", path, e.ref)
		}
		if len(e.children) != len(e.byName) {
			t.Errorf("%s: a name stands there twice", path)
		}
		for _, c := range e.children {
			walk(path, c)
		}
	}
	for _, c := range root().children {
		walk("", c)
	}
	expressions.Range(func(_, compile any) bool {
		compile.(func() *regexp.Regexp)() // panics if it is none
		return true
	})
}

// TestEffectLists holds the classes of effect.go: paths exist, none is in two.
func TestEffectLists(t *testing.T) {
	seen := make(map[string]bool)
	for _, l := range [][]string{notYet, withBFD, notes} {
		for _, p := range l {
			if seen[p] {
				t.Errorf("%s is in two classes", p)
			}
			seen[p] = true
			elementsAt(root(), p) // panics if there is none
		}
	}
	for _, p := range append(append([]string(nil), withBFD...), notes...) {
		for _, e := range elementsAt(root(), p) {
			if e.notYet {
				t.Errorf("%s gives a warning and must not", p)
			}
		}
	}
}

// TestMergeCoversPathLeaves holds that every shared leaf that is effective has
// a row in pathMerge, and every row a leaf.
func TestMergeCoversPathLeaves(t *testing.T) {
	rows := make(map[string]bool)
	for _, m := range pathMerge {
		rows[m.leaf] = true
	}
	for _, e := range pathLeaves() {
		for _, name := range leafNames(e) {
			marked := elementsAt(root(), path+strings.ReplaceAll(name, ".", "/"))[0].notYet
			overlay := name == "peer-path-overlay" // one value only
			if !rows[name] && !marked && !overlay {
				t.Errorf("no row for %s", name)
			}
			delete(rows, name)
		}
	}
	for name := range rows {
		t.Errorf("row without leaf: %s", name)
	}
}

func leafNames(e *element) []string {
	if e.shape != container {
		return []string{e.name}
	}
	var names []string
	for _, c := range e.children {
		names = append(names, e.name+"."+c.name)
	}
	return names
}
