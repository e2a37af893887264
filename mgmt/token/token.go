// Package token cuts lines into words as the console and the text form of the
// configuration write them.
package token

import (
	"errors"
	"strings"
)

// MaxLine bounds a line in bytes.
const MaxLine = 16384

// Errors of a line that cannot be cut into words.
var (
	ErrQuote   = errors.New("quotation mark without its partner")
	ErrTooLong = errors.New("line is too long")
	ErrControl = errors.New("control character in the line")
)

// Split cuts a line into words at blanks. Within double quotes blanks stand for
// themselves, and a backslash there before a quote or a backslash.
func Split(line string) ([]string, error) {
	words, partial, inWord, err := scan(line)
	if err != nil {
		return nil, err
	}
	if inWord {
		words = append(words, partial)
	}
	return words, nil
}

// Partial is Split for a line that is being typed: the last word, which
// may be empty or lack its closing quote, comes by itself.
func Partial(line string) (words []string, partial string, err error) {
	words, partial, _, err = scan(line)
	if errors.Is(err, ErrQuote) {
		err = nil
	}
	return words, partial, err
}

// scan cuts a line; last is the word at its end, open tells that there is one.
func scan(line string) (words []string, last string, open bool, err error) {
	if len(line) > MaxLine {
		return nil, "", false, ErrTooLong
	}
	var word strings.Builder
	quoted, escaped := false, false
	for _, r := range line {
		switch {
		case r < ' ' && r != '\t' || r == 0x7f:
			return nil, "", false, ErrControl
		case escaped:
			word.WriteRune(r)
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted, open = !quoted, true
		case !quoted && (r == ' ' || r == '\t'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quoted {
		err = ErrQuote
	}
	return words, word.String(), open, err
}

// Quote returns a word as Split reads it back: bare where that is possible.
func Quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// Join makes a line of words.
func Join(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = Quote(w)
	}
	return strings.Join(list, " ")
}
