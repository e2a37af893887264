package config

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a file; the model itself needs 14 levels.
const maxDepth = 64

// jkind is the kind of a JSON value.
type jkind uint8

const (
	jObject jkind = 1 << iota
	jArray
	jString
	jNumber
	jBool
	jNull
)

// String names the kind as a finding does.
func (k jkind) String() string {
	switch k {
	case jObject:
		return "an object"
	case jArray:
		return "a list"
	case jString:
		return "a string"
	case jNumber:
		return "a number"
	case jBool:
		return "true or false"
	case jNull:
		return "null"
	case jString | jNumber:
		return "a number or a word"
	}
	return "another type"
}

// jval is one JSON value. Members keep their order and their duplicates, which
// encoding/json would hide; numbers keep their spelling.
type jval struct {
	kind    jkind
	text    string // decoded string, or the spelling of a number, bool or null
	members []jmember
	items   []*jval
}

type jmember struct {
	key string
	val *jval
}

// syntaxError is where and why a file is no JSON.
type syntaxError struct {
	off int
	msg string
}

// jparser reads one JSON text by recursive descent of at most maxDepth levels.
type jparser struct {
	data  []byte
	off   int
	depth int
}

// parseJSON returns the value that data holds, and nothing but that value.
func parseJSON(data []byte) (v *jval, err *syntaxError) {
	p := &jparser{data: data}
	defer func() {
		if e, ok := recover().(*syntaxError); ok {
			v, err = nil, e
		}
	}()
	p.checkUTF8()
	v = p.value()
	p.space()
	if p.off < len(p.data) {
		p.fail("more text behind the end of the configuration")
	}
	return v, nil
}

func (p *jparser) checkUTF8() {
	for i := 0; i < len(p.data); {
		r, n := utf8.DecodeRune(p.data[i:])
		if r == utf8.RuneError && n <= 1 {
			p.off = i
			p.fail("is not UTF-8")
		}
		i += n
	}
}

// fail ends the parse; parseJSON catches it.
func (p *jparser) fail(format string, args ...any) {
	panic(&syntaxError{p.off, fmt.Sprintf(format, args...)})
}

func (p *jparser) space() {
	for p.off < len(p.data) {
		switch p.data[p.off] {
		case ' ', '\t', '\r', '\n':
			p.off++
		default:
			return
		}
	}
}

// peek returns the next byte that is no blank.
func (p *jparser) peek(want string) byte {
	p.space()
	if p.off >= len(p.data) {
		p.fail("the file ends where %s must follow", want)
	}
	return p.data[p.off]
}

func (p *jparser) value() *jval {
	c := p.peek("a value")
	switch {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.array)
	case c == '"':
		return &jval{kind: jString, text: p.str()}
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return p.word()
}

func (p *jparser) nested(parse func() *jval) *jval {
	if p.depth++; p.depth > maxDepth {
		p.fail("is nested deeper than %d levels", maxDepth)
	}
	v := parse()
	p.depth--
	return v
}

func (p *jparser) object() *jval {
	v := &jval{kind: jObject}
	p.off++
	if p.peek("a name or }") == '}' {
		p.off++
		return v
	}
	for {
		if p.peek("a name") != '"' {
			p.fail("unexpected %q where a name in quotes must stand", p.rune())
		}
		m := jmember{key: p.str()}
		if p.peek("a colon") != ':' {
			p.fail("unexpected %q where a colon must follow the name", p.rune())
		}
		p.off++
		m.val = p.value()
		v.members = append(v.members, m)
		if p.more('}') {
			return v
		}
	}
}

func (p *jparser) array() *jval {
	v := &jval{kind: jArray}
	p.off++
	if p.peek("a value or ]") == ']' {
		p.off++
		return v
	}
	for {
		v.items = append(v.items, p.value())
		if p.more(']') {
			return v
		}
	}
}

// more takes the comma or the end of a list; true at the end.
func (p *jparser) more(end byte) bool {
	switch c := p.peek("a comma or " + string(end)); c {
	case ',', end:
		p.off++
		return c == end
	}
	p.fail("unexpected %q where a comma or %q must stand", p.rune(), string(end))
	return false
}

func (p *jparser) rune() string {
	_, n := utf8.DecodeRune(p.data[p.off:])
	return string(p.data[p.off : p.off+n])
}

// str reads a string; escapes are encoding/json's work.
func (p *jparser) str() string {
	start := p.off
	for p.off++; ; p.off++ {
		if p.off >= len(p.data) {
			p.off = len(p.data)
			p.fail("the file ends within a string")
		}
		switch c := p.data[p.off]; {
		case c == '\\':
			p.off++
		case c < ' ':
			p.fail("control character or line end within a string")
		case c == '"':
			p.off++
			return p.unquote(start)
		}
	}
}

func (p *jparser) unquote(start int) (s string) {
	if json.Unmarshal(p.data[start:p.off], &s) != nil {
		p.off = start
		p.fail("wrong escape in a string")
	}
	return s
}

// number reads what looks like a number; encoding/json says if it is one.
func (p *jparser) number() *jval {
	start := p.off
	for p.off < len(p.data) && isNumberByte(p.data[p.off]) {
		p.off++
	}
	if !json.Valid(p.data[start:p.off]) {
		p.off = start
		p.fail("wrong number")
	}
	return &jval{kind: jNumber, text: string(p.data[start:p.off])}
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func (p *jparser) word() *jval {
	for _, w := range []string{"true", "false", "null"} {
		if end := p.off + len(w); end <= len(p.data) && string(p.data[p.off:end]) == w {
			p.off = end
			if w == "null" {
				return &jval{kind: jNull, text: w}
			}
			return &jval{kind: jBool, text: w}
		}
	}
	p.fail("unexpected %q where a value must stand", p.rune())
	return nil
}

// place returns "line L, column C" of an offset; columns count characters.
func place(data []byte, off int) string {
	line, start := 1, 0
	for i := 0; i < off && i < len(data); i++ {
		if data[i] == '\n' {
			line, start = line+1, i+1
		}
	}
	return fmt.Sprintf("line %d, column %d", line, utf8.RuneCount(data[start:min(off, len(data))])+1)
}
