package msgpack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// FromJSON reads one JSON value and keeps the order of its objects.
func FromJSON(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := fromTokens(dec, 0)
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if _, err := dec.Token(); err == nil {
		return nil, fmt.Errorf("read JSON: %w", ErrTrailing)
	}
	return v, nil
}

func fromTokens(dec *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ErrDepth
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Number:
		return number(tok)
	case json.Delim:
		if tok == '[' {
			return listFrom(dec, depth)
		}
		return mapFrom(dec, depth)
	}
	return tok, nil
}

func number(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u, nil
	}
	return n.Float64()
}

func listFrom(dec *json.Decoder, depth int) (any, error) {
	out := []any{}
	for dec.More() {
		v, err := fromTokens(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := dec.Token()
	return out, err
}

func mapFrom(dec *json.Decoder, depth int) (any, error) {
	out := Map{}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := fromTokens(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{k, v})
	}
	_, err := dec.Token()
	return out, err
}

// ToJSON writes a value as JSON in the order of its maps. Bytes that are no
// text, keys that are no text, and extensions have no form.
func ToJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := toJSON(&b, v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return b.Bytes(), nil
}

func toJSON(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := toJSON(b, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case Map:
		return mapJSON(b, v)
	case string:
		if !utf8.ValidString(v) {
			return fmt.Errorf("%w: bytes that are no text", ErrType)
		}
	case Ext, []byte:
		return fmt.Errorf("%w: %T", ErrType, v)
	}
	raw, err := json.Marshal(v)
	b.Write(raw)
	return err
}

func mapJSON(b *bytes.Buffer, m Map) error {
	b.WriteByte('{')
	for i, p := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		k, ok := p.Key.(string)
		if !ok {
			return fmt.Errorf("%w: key %v is no text", ErrType, p.Key)
		}
		if err := toJSON(b, k); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := toJSON(b, p.Value); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}
