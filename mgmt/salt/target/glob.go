package target

import "strings"

// Glob is Python's fnmatch: * matches anything, slashes included, ? one
// character, [seq] one of, [!seq] none of. It never takes more than linear space
// and |pattern|·|text| steps.
func Glob(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	i, j := 0, 0
	star, mark := -1, 0 // where the last * stands, and what it has eaten up to
	for j < len(t) {
		switch ok, n := one(p[i:], t[j]); {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case ok:
			i += n
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// one matches one character against the head of a pattern, n runes long.
func one(p []rune, c rune) (ok bool, n int) {
	if len(p) == 0 {
		return false, 0
	}
	switch p[0] {
	case '?':
		return true, 1
	case '[':
		if set, n := class(p); n > 0 {
			return in(set, c), n
		}
	}
	return p[0] == c, 1
}

// class cuts [seq] from the head of a pattern; n is 0 if it is not closed, and
// [ then stands for itself. ] is a member if it comes first.
func class(p []rune) (set []rune, n int) {
	i := 1
	if i < len(p) && p[i] == '!' {
		i++
	}
	if i < len(p) && p[i] == ']' {
		i++
	}
	for i < len(p) && p[i] != ']' {
		i++
	}
	if i >= len(p) {
		return nil, 0
	}
	return p[1:i], i + 1
}

func in(set []rune, c rune) bool {
	negated := len(set) > 0 && set[0] == '!'
	if negated {
		set = set[1:]
	}
	for i := 0; i < len(set); i++ {
		lo, hi := set[i], set[i]
		if i+2 < len(set) && set[i+1] == '-' {
			hi = set[i+2]
			i += 2
		}
		if lo <= c && c <= hi {
			return !negated
		}
	}
	return negated
}

// lower is what grain and pillar matchers compare: without regard to case.
func lower(s string) string { return strings.ToLower(s) }
