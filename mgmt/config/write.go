package config

import (
	"bytes"
	"encoding/json"
)

// JSON returns the draft as a file: names in the order of the model, entries in
// their own, one name a line. Reading it gives the same draft.
func (d *Draft) JSON() []byte {
	var b bytes.Buffer
	d.top.json(&b, "")
	b.WriteByte('\n')
	return b.Bytes()
}

// json writes the object of an entry.
func (e *entry) json(b *bytes.Buffer, indent string) {
	inner, before := indent+"  ", "{"
	for _, el := range e.el.children {
		kids := e.all(el.name)
		if len(kids) == 0 {
			continue
		}
		b.WriteString(before + "\n" + inner + `"` + el.name + `": `)
		before = ","
		switch el.shape {
		case container:
			kids[0].json(b, inner)
		case leaf:
			kids[0].jsonValue(b)
		default:
			jsonList(b, kids, inner)
		}
	}
	if before == "{" {
		b.WriteString("{}")
		return
	}
	b.WriteString("\n" + indent + "}")
}

// jsonList writes a list: values in one line, entries each on their own.
func jsonList(b *bytes.Buffer, kids []*entry, indent string) {
	b.WriteByte('[')
	for i, k := range kids {
		if i > 0 {
			b.WriteString(", ")
		}
		if k.el.shape == leafList {
			k.jsonValue(b)
			continue
		}
		k.json(b, indent)
	}
	b.WriteByte(']')
}

func (e *entry) jsonValue(b *bytes.Buffer) {
	if kind, err := e.el.kind(e.text); err == nil && kind != jString {
		b.WriteString(e.text)
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(e.text)  // a string always encodes
	b.Truncate(b.Len() - 1) // its line end
}
