package config

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"waymark/mgmt/token"
)

// maxText bounds a text form in bytes.
const maxText = 16 << 20

// ErrText is what ReadText returns for text that is no configuration; the error
// names every line.
var ErrText = errors.New("wrong text")

// maxLines bounds how many wrong lines are told.
const maxLines = 20

// ReadText reads the vendor's text form: blocks closed by exit, or flat lines
// that begin with config. Lines that begin with # and empty ones say nothing.
func ReadText(text string) (*Draft, error) {
	if len(text) > maxText || !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: longer than %d bytes, or no UTF-8", ErrText, maxText)
	}
	r := &textReader{d: EmptyDraft()}
	for i, line := range strings.Split(text, "\n") {
		if err := r.line(strings.TrimSpace(line)); err != nil {
			r.errs = append(r.errs, fmt.Errorf("line %d: %w", i+1, err))
		}
		if len(r.errs) >= maxLines {
			break
		}
	}
	if len(r.errs) == 0 && len(r.open) > 0 {
		r.errs = append(r.errs, fmt.Errorf("at the end: %d blocks without exit", len(r.open)))
	}
	if len(r.errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrText, errors.Join(r.errs...))
	}
	return r.d, nil
}

// textReader reads line by line.
type textReader struct {
	d    *Draft
	open []*entry // blocks, the top first; nil ones are those that were wrong
	errs []error
}

func (r *textReader) line(line string) error {
	words, err := token.Split(line)
	if err != nil || len(words) == 0 || words[0][:min(1, len(words[0]))] == "#" {
		return err
	}
	if words[0] == "config" {
		return r.config(words[1:])
	}
	if len(r.open) == 0 {
		return errors.New("outside of config … exit")
	}
	here := r.open[len(r.open)-1]
	if len(words) == 1 && words[0] == "exit" {
		r.open = r.open[:len(r.open)-1]
		return nil
	}
	if here == nil {
		r.skip(words)
		return nil
	}
	e, err := into(here, words)
	if err != nil {
		r.skip(words)
		return err
	}
	if e != nil {
		r.open = append(r.open, e)
	}
	return nil
}

// skip goes on behind a wrong line: what looks like the head of a block, by the
// name of some element, needs an exit of its own.
func (r *textReader) skip(words []string) {
	if blockNames()[words[0]] {
		r.open = append(r.open, nil)
	}
}

// config opens the file, or is a line by itself.
func (r *textReader) config(words []string) error {
	if len(words) == 0 {
		if len(r.open) > 0 {
			return errors.New("config within config")
		}
		r.open = append(r.open, r.d.top)
		return nil
	}
	e, err := into(r.d.top, words)
	if err == nil && e != nil {
		return errors.New("a line of the flat form ends in a value")
	}
	return err
}

// into does what a line says in a block and returns the block that it opens,
// nil for a value.
func into(e *entry, words []string) (*entry, error) {
	w := &walker{}
	t, err := w.walk(e, nil, words)
	if err != nil {
		return nil, err
	}
	switch t.el.shape {
	case leaf:
		err, t.entry = t.setLeaf(), nil
	case leafList:
		err, t.entry = t.addValues(), nil
	case list:
		if t.entry == nil {
			err = fmt.Errorf("%w: %s takes %s", ErrNoValue, t.el.name, strings.Join(t.el.keys, " and "))
		}
	}
	if err == nil {
		w.keep()
	}
	return t.entry, err
}

// blockNames are the names of all containers and lists.
var blockNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	var walk func(e *element)
	walk = func(e *element) {
		if e.shape == container || e.shape == list {
			names[e.name] = true
		}
		for _, c := range e.children {
			walk(c)
		}
	}
	walk(root())
	return names
})
