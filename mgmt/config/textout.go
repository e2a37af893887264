package config

import (
	"strings"

	"waymark/mgmt/token"
)

// hidden stands for a secret in text that people look at. It is no value of
// any secret leaf.
const hidden = "(removed)"

// indentBy is the vendor's step.
const indentBy = "    "

// Text returns the vendor's text form, `config … exit`. It says what is
// written, defaults are left out where they are in the draft. Without secrets
// they are replaced, and the text cannot be read back.
func (d *Draft) Text(secrets bool) string {
	w := &textWriter{secrets: secrets}
	w.b.WriteString("config\n")
	w.body(d.top, indentBy)
	w.b.WriteString("exit\n")
	return w.b.String()
}

// TextAt returns the text form of what is below a place.
func (d *Draft) TextAt(at Place, secrets bool) (string, error) {
	t, err := d.find(at, nil)
	if err != nil {
		return "", err
	}
	w := &textWriter{secrets: secrets}
	switch {
	case t.el.shape == leaf || t.el.shape == leafList:
		w.leaves(t.entries(), "")
	case t.entry == nil || t.entry == d.top:
		return d.Text(secrets), nil
	default:
		w.block(t.entry, "")
	}
	return w.b.String(), nil
}

type textWriter struct {
	b       strings.Builder
	secrets bool
}

// body writes what an entry holds: its leaves in one column, then its blocks.
func (w *textWriter) body(e *entry, indent string) {
	var leaves, blocks []*entry
	for _, el := range e.el.children {
		for _, k := range e.all(el.name) {
			if el.shape == leaf || el.shape == leafList {
				leaves = append(leaves, k)
			} else {
				blocks = append(blocks, k)
			}
		}
	}
	w.leaves(leaves, indent)
	for i, k := range blocks {
		if i > 0 || len(leaves) > 0 {
			w.b.WriteByte('\n')
		}
		w.block(k, indent)
	}
}

func (w *textWriter) leaves(list []*entry, indent string) {
	width := 0
	for _, k := range list {
		width = max(width, len(k.el.name))
	}
	for _, k := range list {
		w.b.WriteString(indent + k.el.name + strings.Repeat(" ", width-len(k.el.name)+2) + w.value(k) + "\n")
	}
}

func (w *textWriter) block(e *entry, indent string) {
	head := e.el.name
	for i, key := range e.keys() {
		head += map[bool]string{true: "  ", false: " "}[i == 0] + token.Quote(key)
	}
	w.b.WriteString(indent + head + "\n")
	w.body(e, indent+indentBy)
	w.b.WriteString(indent + "exit\n")
}

func (w *textWriter) value(e *entry) string {
	if e.el.secret && !w.secrets {
		return hidden
	}
	return token.Quote(e.text)
}

// keys returns the values that stand at the head of a list entry.
func (e *entry) keys() []string {
	var list []string
	for _, name := range e.el.keys {
		text := ""
		if k := e.kid(name); k != nil {
			text = k.text
		}
		list = append(list, text)
	}
	return list
}
