package config

import (
	"bytes"
	"fmt"
	"strings"
)

// Draft is a configuration that is being edited: every value in it is right by
// itself, the whole may be incomplete. It reads and writes both forms, JSON and
// the vendor's text. Not safe for concurrent use.
type Draft struct{ top *entry }

// EmptyDraft is a draft with nothing in it.
func EmptyDraft() *Draft { return &Draft{top: &entry{el: root()}} }

// ReadDraft reads JSON. Findings are those of reading: unknown names, values
// that are wrong by themselves, doublets. With an error among them the draft is nil.
func ReadDraft(data []byte) (*Draft, Findings) {
	b := &builder{}
	top := b.tree(data)
	finds := b.finds.findings()
	errs := finds[:0:0]
	for _, f := range finds {
		if f.Severity == Error && f.Problem != missing {
			errs = append(errs, f)
		}
	}
	if top == nil || len(errs) > 0 {
		return nil, errs
	}
	if e := top.keyless(); e != nil {
		return nil, Findings{{Error, e.path(), "", "has no key", strings.Join(e.el.keys, ", ")}}
	}
	return &Draft{top: top}, nil
}

// keyless returns an entry of a list without its keys.
func (e *entry) keyless() *entry {
	if _, full := e.key(); e.el.shape == list && !full {
		return e
	}
	for _, k := range e.kids {
		if bad := k.keyless(); bad != nil {
			return bad
		}
	}
	return nil
}

// Clone returns a copy that shares nothing.
func (d *Draft) Clone() *Draft { return &Draft{top: d.top.clone(nil)} }

func (e *entry) clone(parent *entry) *entry {
	c := *e
	c.parent, c.kids = parent, make([]*entry, len(e.kids))
	for i, k := range e.kids {
		c.kids[i] = k.clone(&c)
	}
	return &c
}

// Check finds everything that is wrong with the draft as a configuration, for
// one node of one router, or, without a router, for all.
func (d *Draft) Check(router, node string) Findings {
	auth, finds := Parse(d.JSON())
	if auth != nil && router != "" {
		finds = append(finds, auth.Check(router, node)...)
	}
	return finds
}

// Equal tells that both drafts are the same configuration.
func (d *Draft) Equal(o *Draft) bool { return bytes.Equal(d.JSON(), o.JSON()) }

// Name returns the name of the authority, "" without one.
func (d *Draft) Name() string {
	if a := d.top.kid("authority"); a != nil && a.kid("name") != nil {
		return a.kid("name").text
	}
	return ""
}

// kind returns the JSON kind that carries a value of the leaf.
func (e *element) kind(text string) (jkind, error) {
	switch {
	case e.typ.json&jBool != 0 && (text == "true" || text == "false"):
		return jBool, nil
	case e.typ.json&jNumber != 0 && isNumber(text):
		return jNumber, nil
	case e.typ.json&jString != 0:
		return jString, nil
	}
	return 0, fmt.Errorf("%s %s: is %v, must be %v; allowed: %s", e.name, show(text, jString), jString, e.typ.json, e.typ.allowed)
}

// isNumber tells a number as JSON has it.
func isNumber(text string) bool {
	p := &jparser{data: []byte(text)}
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return false
	}
	defer func() { recover() }()
	return p.number() != nil && p.off == len(text)
}
