package event

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest texts kept, in bytes: names may come from a peer.
const (
	maxText = 512
	maxKey  = 512
)

// clean bounds a text and takes out what a terminal could act on.
func clean(s string) string {
	return strings.Map(printable, strings.ToValidUTF8(clip(s, maxText), "?"))
}

// cleanKey bounds a key; keys are compared, never shown.
func cleanKey(s string) string { return strings.Clone(clip(s, maxKey)) }

// printable replaces control and format characters.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return '?'
	}
	return r
}

// clip cuts s to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
