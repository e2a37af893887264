package token_test

import (
	"errors"
	"slices"
	"testing"

	"waymark/mgmt/token"
)

func TestSplit(t *testing.T) {
	for _, row := range []struct {
		line string
		want []string
		err  error
	}{
		{"", nil, nil},
		{"  a\tb ", []string{"a", "b"}, nil},
		{`name "two words"`, []string{"name", "two words"}, nil},
		{`""`, []string{""}, nil},
		{`a"b c"d`, []string{"ab cd"}, nil},
		{`"\"\\"`, []string{`"\`}, nil},
		{`a\b`, []string{`a\b`}, nil},
		{`"open`, nil, token.ErrQuote},
		{`"open\"`, nil, token.ErrQuote},
		{"a\nb", nil, token.ErrControl},
	} {
		got, err := token.Split(row.line)
		if !errors.Is(err, row.err) || !slices.Equal(got, row.want) {
			t.Errorf("Split(%q) = %q, %v, want %q, %v", row.line, got, err, row.want, row.err)
		}
		if err != nil {
			continue
		}
		if again, err := token.Split(token.Join(got)); err != nil || !slices.Equal(again, got) {
			t.Errorf("Join(%q) = %q: %q, %v", got, token.Join(got), again, err)
		}
	}
	if words, partial, err := token.Partial(`set name "two w`); err != nil || len(words) != 2 || partial != "two w" {
		t.Errorf("partial: %q, %q, %v", words, partial, err)
	}
}
