package target

import (
	"fmt"
	"strconv"
	"strings"

	"waymark/mgmt/salt/msgpack"
)

// maxSteps bounds the search of one expression: wildcards multiply.
const maxSteps = 20000

// walker looks for key:…:value in maps and lists. Since the delimiter may be
// part of keys and of values, every place to cut is tried.
type walker struct {
	match func(pattern, text string) bool
	steps int
}

func walk(data msgpack.Map, expr, delimiter string, match func(pattern, text string) bool) (bool, error) {
	w := walker{match: match}
	ok := w.under(data, expr, delimiter)
	if w.steps > maxSteps {
		return false, fmt.Errorf("%w: too much to search", ErrTarget)
	}
	return ok, nil
}

func (w *walker) under(data msgpack.Map, expr, delimiter string) bool {
	words := strings.Split(expr, delimiter)
	for n := len(words) - 1; n > 0; n-- {
		if w.steps++; w.steps > maxSteps {
			return false
		}
		key, rest := strings.Join(words[:n], delimiter), strings.Join(words[n:], delimiter)
		var found any = data
		if key == "*" {
			rest = expr
		} else if found = Traverse(data, key, delimiter); found == nil {
			continue
		}
		if w.value(found, rest) {
			return true
		}
	}
	return false
}

// value compares what was found with the rest of the expression.
func (w *walker) value(v any, rest string) bool {
	switch v := v.(type) {
	case msgpack.Map:
		return len(v) > 0 && w.inMap(v, rest)
	case []any:
		for _, member := range v {
			if m, ok := member.(msgpack.Map); ok && w.inMap(m, rest) || !ok && w.text(member, rest) {
				return true
			}
		}
		return false
	}
	return w.text(v, rest)
}

// inMap: a key is enough; behind "*:" any key will do.
func (w *walker) inMap(m msgpack.Map, pattern string) bool {
	if w.steps++; w.steps > maxSteps {
		return false
	}
	pattern, wild := strings.CutPrefix(pattern, "*:")
	if _, ok := m.Lookup(pattern); ok || pattern == "*" || w.under(m, pattern, ":") {
		return true
	}
	if !wild {
		return false
	}
	for _, p := range m {
		switch v := p.Value.(type) {
		case msgpack.Map:
			if w.inMap(v, pattern) {
				return true
			}
		case []any:
			for _, member := range v {
				if w.text(member, pattern) {
					return true
				}
			}
		default:
			if w.text(v, pattern) {
				return true
			}
		}
	}
	return false
}

func (w *walker) text(v any, pattern string) bool {
	s, ok := str(v)
	return ok && w.match(lower(pattern), lower(s))
}

// str is Python's str of plain values.
func str(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".en") {
			s += ".0"
		}
		return s, true
	case nil:
		return "None", true
	}
	return "", false
}

// Traverse follows key:…:key through maps, and through lists by number or by
// the first map that has the key, as grains.get and pillar.get do. It returns
// nil for what is not there.
func Traverse(data any, path, delimiter string) any {
	for key := range strings.SplitSeq(path, delimiter) {
		switch d := data.(type) {
		case msgpack.Map:
			data = member(d, key)
		case []any:
			data = element(d, key)
		default:
			return nil
		}
		if data == nil {
			return nil
		}
	}
	return data
}

// member finds a key as text, or as a number that the text stands for.
func member(m msgpack.Map, key string) any {
	if v, ok := m.Lookup(key); ok {
		return v
	}
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return nil
	}
	for _, p := range m {
		if p.Key == any(n) {
			return p.Value
		}
	}
	return nil
}

func element(list []any, key string) any {
	if n, err := strconv.Atoi(key); err == nil {
		if n >= 0 && n < len(list) {
			return list[n]
		}
		return nil
	}
	for _, v := range list {
		if m, ok := v.(msgpack.Map); ok {
			if v, ok := m.Lookup(key); ok {
				return v
			}
		}
	}
	return nil
}
