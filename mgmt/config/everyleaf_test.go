package config

import (
	"slices"
	"testing"
)

// samples are values of which one fits each leaf; those that need quotes first.
var samples = []string{"two words \"quoted\"", "name-a", "a.example", "192.0.2.1", "10.0.0.0/8", "02:00:00:00:00:01",
	"00112233445566778899aabbccddeeff", "1500", "64", "3", "1", "60000", "+00.000+000.000/", "1280", "0.5"}

// sample returns a value that a leaf takes, "" if none does.
func sample(e *element) string {
	for _, s := range append(slices.Clone(e.typ.words), samples...) {
		if _, problem := e.typ.read(s); problem == "" {
			return s
		}
	}
	return ""
}

// Every leaf of the model goes into the vendor's text and into JSON, and comes
// back as it was.
func TestEveryLeafRoundTrips(t *testing.T) {
	d, leaves := EmptyDraft(), 0
	var walk func(e *element, words []string)
	walk = func(e *element, words []string) {
		for _, c := range e.children {
			at := append(slices.Clone(words), c.name)
			switch {
			case c.shape == container:
				walk(c, at)
			case c.shape == list:
				for _, k := range c.keys {
					at = append(at, sample(c.byName[k]))
				}
				walk(c, at)
			case e.shape == list && slices.Contains(e.keys, c.name): // stands in its entry's head
			default:
				leaves++
				if _, err := d.Set(nil, append(at, sample(c))); err != nil {
					t.Errorf("%v: %v", at, err)
				}
			}
		}
	}
	walk(root(), nil)
	if leaves < 200 {
		t.Fatalf("%d leaves", leaves)
	}
	back, err := ReadText(d.Text(true))
	if err != nil || !back.Equal(d) {
		t.Errorf("text: %v\n%s", err, d.Text(true))
	}
	again, finds := ReadDraft(d.JSON())
	if again == nil || !again.Equal(d) {
		t.Errorf("JSON: %v", finds)
	}
	if again != nil && again.Text(true) != d.Text(true) {
		t.Error("the text of what was read back differs")
	}
	t.Logf("%d leaves", leaves)
}
