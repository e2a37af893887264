package pool

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Field is one number of a record, or an array of numbers.
type Field struct {
	Name   string // the way to it: "leg.1.kind"
	Offset int    // from the start of the record, bytes
	Size   int    // bytes
}

// ErrFields: two layouts of a record cannot be brought together, or a list of
// fields is none.
var ErrFields = errors.New("layout of records")

// mostFields bounds a list that is read.
const mostFields = 1024

// Fields lists what a T of Records holds. Kept beside the records, it lets a build
// with another T read them.
func Fields[T any]() []Field { return fields(nil, reflect.TypeFor[T](), "", 0) }

func fields(list []Field, t reflect.Type, name string, at int) []Field {
	under := func(name, step string) string {
		if name == "" {
			return step
		}
		return name + "." + step
	}
	switch {
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			list = fields(list, f.Type, under(name, f.Name), at+int(f.Offset))
		}
		return list
	case t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Struct:
		for i := range t.Len() {
			list = fields(list, t.Elem(), under(name, strconv.Itoa(i)), at+i*int(t.Elem().Size()))
		}
		return list
	}
	return append(list, Field{name, at, int(t.Size())})
}

// FormatFields writes a list for ParseFields: a line of name, offset and size for
// each.
func FormatFields(list []Field) (b []byte) {
	for _, f := range list {
		b = fmt.Appendf(b, "%s %d %d\n", f.Name, f.Offset, f.Size)
	}
	return b
}

// ParseFields reads what FormatFields wrote for records of size bytes; zeros may
// follow. Errors: ErrFields.
func ParseFields(b []byte, size int) (list []Field, err error) {
	b = bytes.TrimRight(b, "\x00")
	for line := range bytes.Lines(b) {
		part := bytes.Fields(line)
		if len(part) != 3 || len(list) == mostFields {
			return nil, fmt.Errorf("line %d of the fields: %w", len(list)+1, ErrFields)
		}
		f := Field{Name: string(part[0])}
		if f.Offset, err = strconv.Atoi(string(part[1])); err == nil {
			f.Size, err = strconv.Atoi(string(part[2]))
		}
		if err != nil || f.Offset < 0 || f.Size <= 0 || f.Size > size || f.Offset > size-f.Size {
			return nil, fmt.Errorf("field %q is not within %d bytes: %w", f.Name, size, ErrFields)
		}
		list = append(list, f)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no fields: %w", ErrFields)
	}
	return list, nil
}

// Migration turns records of one layout into those of another one.
type Migration []struct{ from, to, size int }

// NewMigration plans it by the fields' names: what both have is copied, what is
// new stays zero, what is gone is left out. A field of another size is ErrFields:
// nobody knows what it means.
func NewMigration(from, to []Field) (m Migration, err error) {
	had := make(map[string]Field, len(from))
	for _, f := range from {
		had[f.Name] = f
	}
	for _, f := range to {
		old, ok := had[f.Name]
		if !ok {
			continue
		}
		if old.Size != f.Size {
			return nil, fmt.Errorf("field %s has %d bytes, had %d: %w", f.Name, f.Size, old.Size, ErrFields)
		}
		m = append(m, struct{ from, to, size int }{old.Offset, f.Offset, f.Size})
	}
	return m, nil
}

// Copy writes record src of the old layout into dst, which is zero.
func (m Migration) Copy(dst, src []byte) {
	for _, f := range m {
		copy(dst[f.to:f.to+f.size], src[f.from:f.from+f.size])
	}
}
