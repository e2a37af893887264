package ctl

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Encoder writes rows of one table as JSON objects. One goroutine.
type Encoder struct {
	table *Table
	keys  []string // ready to write: `{"id":`, `,"time":`
}

// NewEncoder makes an encoder for answers with or without detail.
func NewEncoder(t *Table, detail bool) *Encoder {
	e := &Encoder{table: t}
	for i, c := range t.Visible(detail) {
		before := ","
		if i == 0 {
			before = "{"
		}
		e.keys = append(e.keys, before+strconv.Quote(c.Key())+":")
	}
	return e
}

// Append appends a row. values are those of Visible, in order; nil is null,
// and what a table has behind the visible ones is left out.
func (e *Encoder) Append(dst []byte, values ...any) ([]byte, error) {
	if len(values) < len(e.keys) {
		return dst, fmt.Errorf("row of %s: %d values for %d columns", e.table.What, len(values), len(e.keys))
	}
	for i, key := range e.keys {
		dst = append(dst, key...)
		var err error
		if dst, err = appendValue(dst, values[i]); err != nil {
			return dst, fmt.Errorf("row of %s: %w", e.table.What, err)
		}
	}
	return append(dst, '}'), nil
}

// appendValue is json.Marshal, quicker for what long tables are made of.
func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case string:
		if plain(v) {
			return append(append(append(dst, '"'), v...), '"'), nil
		}
	}
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

// plain tells that a string stands for itself in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
