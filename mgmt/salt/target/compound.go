package target

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// engines maps the letters before @ to types. G, P, I and J may have a
// delimiter of one character between letter and @.
var engines = map[byte]string{
	'G': "grain", 'P': "grain_pcre", 'I': "pillar", 'J': "pillar_pcre", 'L': "list", 'S': "ipcidr", 'E': "pcre",
}

// compound is a grammar of words:
//
//	or:   and {"or" and}
//	and:  not {"and" not}
//	not:  {"not"} (word | "(" or ")")
//
// "not" behind a word means "and not". Parentheses are words of their own.
type parser struct {
	subject Subject
	exact   bool // pillar expressions must match exactly
	words   []string
	depth   int
}

func compound(s Subject, expr string, exact bool) (bool, error) {
	p := &parser{subject: s, exact: exact, words: strings.Fields(expr)}
	ok, err := p.or()
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("%w: %q behind the end", ErrTarget, p.words[0])
	}
	return ok && err == nil, err
}

func (p *parser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// accept takes the next word if it is this one.
func (p *parser) accept(word string) bool {
	if p.peek() != word || len(p.words) == 0 {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) or() (bool, error) {
	ok, err := p.and()
	for err == nil && p.accept("or") {
		var right bool
		right, err = p.and()
		ok = ok || right
	}
	return ok, err
}

func (p *parser) and() (bool, error) {
	ok, err := p.not()
	for err == nil && (p.accept("and") || p.peek() == "not") {
		var right bool
		right, err = p.not()
		ok = ok && right
	}
	return ok, err
}

func (p *parser) not() (bool, error) {
	negated := false
	for p.accept("not") {
		negated = !negated
	}
	ok, err := p.operand()
	return ok != negated, err
}

func (p *parser) operand() (bool, error) {
	if p.accept("(") {
		if p.depth++; p.depth > 32 {
			return false, fmt.Errorf("%w: nested too deep", ErrTarget)
		}
		ok, err := p.or()
		p.depth--
		if err == nil && !p.accept(")") {
			err = fmt.Errorf("%w: ( without )", ErrTarget)
		}
		return ok, err
	}
	switch word := p.peek(); word {
	case "", "and", "or", ")":
		return false, fmt.Errorf("%w: %q where a target must be", ErrTarget, word)
	default:
		p.words = p.words[1:]
		return p.word(word)
	}
}

// word is one target with its engine, a glob without.
func (p *parser) word(word string) (bool, error) {
	letter, delimiter, rest, ok := engine(word)
	if !ok {
		return Glob(word, p.subject.ID), nil
	}
	kind, ok := engines[letter]
	switch {
	case !ok:
		return false, fmt.Errorf("%w: engine %c@", ErrTarget, letter)
	case kind == "list":
		return matchList(p.subject, rest), nil
	case p.exact && kind == "pillar":
		kind = "pillar_exact"
	}
	return matchOne(p.subject, rest, kind, delimiter)
}

// engine splits G@key:value or G;@key;value.
func engine(word string) (letter byte, delimiter, rest string, ok bool) {
	if len(word) < 3 || !strings.ContainsRune("GPIJLNSERTM", rune(word[0])) {
		return 0, "", "", false
	}
	if word[1] == '@' {
		return word[0], ":", word[2:], true
	}
	if _, size := utf8.DecodeRuneInString(word[1:]); strings.ContainsRune("GPIJ", rune(word[0])) && len(word) > 2+size && word[1+size] == '@' {
		return word[0], word[1 : 1+size], word[2+size:], true
	}
	return 0, "", "", false
}
