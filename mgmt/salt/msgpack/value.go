// Package msgpack encodes and decodes the dialect of msgpack that Salt speaks.
//
// Salt packs with use_bin_type=False: text and bytes are one family (raw), so
// both are Go strings here, whatever they hold. Maps keep the order of their
// pairs, because signatures and recordings cover bytes. Source: msgpack
// specification and salt/payload.py as recorded in mgmt/salt/testdata.
//
// Values are nil, bool, int64, uint64 (only above the range of int64), float64,
// string, []any, Map and Ext. Encode also takes int, []byte and []string.
package msgpack

// Map is a map in the order of its pairs. Keys need not be text.
type Map []Pair

// Pair is one entry of a Map.
type Pair struct {
	Key, Value any
}

// Ext is an extension: 78 is a time as text, 79 a constant of Salt's.
type Ext struct {
	Type int8
	Data string
}

// KV makes a Map from keys and values in turn; an odd number panics.
func KV(kv ...any) Map {
	m := make(Map, 0, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		m = append(m, Pair{kv[i], kv[i+1]})
	}
	return m
}

// Get returns the value of a text key, nil if it is not there.
func (m Map) Get(key string) any {
	v, _ := m.Lookup(key)
	return v
}

// Lookup returns the value of a text key and whether it is there.
func (m Map) Lookup(key string) (any, bool) {
	for i := range m {
		if k, ok := m[i].Key.(string); ok && k == key {
			return m[i].Value, true
		}
	}
	return nil, false
}

// Text returns the value of a key if it is text, otherwise "".
func (m Map) Text(key string) string {
	s, _ := m.Get(key).(string)
	return s
}

// Int returns the value of a key if it is an integer of 64 bits.
func (m Map) Int(key string) (int64, bool) {
	n, ok := m.Get(key).(int64)
	return n, ok
}

// Set replaces the value of a key in its place or appends the pair, as a dict
// of Python does.
func (m *Map) Set(key string, value any) {
	for i := range *m {
		if k, ok := (*m)[i].Key.(string); ok && k == key {
			(*m)[i].Value = value
			return
		}
	}
	*m = append(*m, Pair{key, value})
}

// Without returns a copy of m that lacks a key.
func (m Map) Without(key string) Map {
	out := make(Map, 0, len(m))
	for _, p := range m {
		if k, ok := p.Key.(string); !ok || k != key {
			out = append(out, p)
		}
	}
	return out
}
