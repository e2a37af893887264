package config

import (
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

// TestHostNames: labels of letters, digits and hyphens, at least a letter first in the
// last one.
func TestHostNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"a", true}, {"conductor", true}, {"conductor.example.net", true}, {"a-b.c-d", true}, {"1.2.3.a", true}, {"0a.b0", true},
		{long + ".net", true}, {strings.Repeat(long+".", 3) + strings.Repeat("a", 61), true},
		{"", false}, {".", false}, {"a.", false}, {".a", false}, {"a..b", false}, {"-a", false}, {"a-", false}, {"a-.b", false}, {"a.-b", false},
		{"192.0.2.1", false}, {"a.1", false}, {"a.1a", false}, {"a_b", false}, {"a b", false}, {"ä", false}, {"a\n", false}, {"2001:db8::1", false},
		{"a" + long, false}, {"a" + long + ".net", false}, {strings.Repeat(long+".", 3) + strings.Repeat("a", 62), false},
	} {
		if got := isHostName(tt.text); got != tt.want {
			t.Errorf("%q: %t, want %t", tt.text, got, tt.want)
		}
	}
}

// TestValueForms: what values of characters take and refuse.
func TestValueForms(t *testing.T) {
	for _, tt := range []struct {
		name      string
		form      valueType
		good, bad []string
	}{
		{"name", name(), []string{"a", "A.b_c-9", strings.Repeat("x", 63)}, []string{"", "a b", "a:b", "ä", "a/b", strings.Repeat("x", 64)}},
		{"printable", printable(1, 3), []string{" ", "~ !"}, []string{"", "\x1f", "\x7f", "abcd", "é"}},
		{"device", device(), []string{"wan0", "eth0.5", "ünter", strings.Repeat("x", 15)}, []string{"", "a b", "a/b", "a:b", "a\tb", strings.Repeat("x", 16)}},
		{"client id", clientID(), []string{"duid", "mac", "0aFF", strings.Repeat("00", 255)}, []string{"", "00", "000", "00g0", "Mac", strings.Repeat("00", 256)}},
	} {
		for _, s := range tt.good {
			if v, problem := tt.form.read(s); problem != "" || v != s {
				t.Errorf("%s %q: %v, %s", tt.name, s, v, problem)
			}
		}
		for _, s := range tt.bad {
			if _, problem := tt.form.read(s); problem == "" {
				t.Errorf("%s %q is taken", tt.name, s)
			}
		}
	}
}
