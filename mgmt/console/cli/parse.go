package cli

import (
	"errors"
	"fmt"
	"strings"

	"waymark/mgmt/near"
	"waymark/mgmt/token"
)

// Errors of a line that is no command. They wrap nothing the user needs to
// know: the text is made for people.
var (
	ErrUnknown    = errors.New("unknown")
	ErrAmbiguous  = errors.New("ambiguous")
	ErrIncomplete = errors.New("incomplete")
	ErrValue      = errors.New("wrong value")
	ErrLevel      = errors.New("not allowed")
)

// Parse finds the command of a line. A line without words returns nil, nil.
func (t *Tree) Parse(line string, level Level) (*Input, error) {
	words, err := token.Split(line)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	in := &Input{values: map[string][]string{}}
	list := t.Commands
	for len(words) > 0 && len(list) > 0 {
		c, err := find(list, words[0], level)
		if errors.Is(err, ErrUnknown) && t.Default != nil && in.Command == nil && level >= t.Default.Level {
			in.Command = t.Default
			break
		}
		if errors.Is(err, ErrUnknown) && in.Command != nil && in.Command.Run != nil && len(in.Command.Args) > 0 {
			break
		}
		if err != nil {
			return nil, behind(in.Path, err)
		}
		in.Command, in.Path = c, append(in.Path, c.Name)
		list, words = c.Sub, words[1:]
	}
	if in.Command.Run == nil {
		return nil, behind(in.Path, fmt.Errorf("%w: %s follows", ErrIncomplete, oneOf(names(list, level))))
	}
	if err := in.take(words); err != nil {
		return nil, behind(in.Path, err)
	}
	return in, nil
}

// behind says where in a line something is wrong.
func behind(path []string, err error) error {
	if len(path) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", strings.Join(path, " "), err)
}

// find returns the command that word names or begins.
func find(list []*Command, word string, level Level) (*Command, error) {
	var found []*Command
	for _, c := range list {
		if c.Name == word {
			found = []*Command{c}
			break
		}
		if strings.HasPrefix(c.Name, word) && c.Level <= level {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 1:
		if found[0].Level > level {
			return nil, fmt.Errorf("%w: %q needs level %v", ErrLevel, found[0].Name, found[0].Level)
		}
		return found[0], nil
	case 0:
		return nil, unknown(word, names(list, level))
	}
	return nil, fmt.Errorf("%w: %q is %s", ErrAmbiguous, word, oneOf(names(found, level)))
}

func names(list []*Command, level Level) (all []string) {
	for _, c := range list {
		if c.Level <= level {
			all = append(all, c.Name)
		}
	}
	return all
}

// unknown names what is not known and what is like it.
func unknown(word string, known []string) error {
	if meant := near.Word(word, known); meant != "" {
		return fmt.Errorf("%w: %q; did you mean %q?", ErrUnknown, word, meant)
	}
	return fmt.Errorf("%w: %q; known: %s", ErrUnknown, word, strings.Join(known, ", "))
}

func oneOf(list []string) string {
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " or " + list[n-1]
	}
	return strings.Join(list, "")
}

// take gives the words behind a command to its arguments.
func (in *Input) take(words []string) error {
	next := 0 // positional argument
	for len(words) > 0 {
		if k := in.Command.keyword(words[0]); k != nil && (next >= len(in.Command.Args) || !in.Command.takesRest(next)) {
			n, err := in.takeKeyword(k, words)
			if err != nil {
				return err
			}
			words = words[n:]
			continue
		}
		a := in.Command.positional(&next)
		if a == nil {
			return in.Command.surplus(words[0])
		}
		n := 1
		if a.Rest {
			n = len(words)
		}
		if err := in.set(a, words[:n]); err != nil {
			return err
		}
		words = words[n:]
		next++
	}
	return in.missing()
}

func (in *Input) takeKeyword(a *Arg, words []string) (n int, err error) {
	if in.Has(a.Name) {
		return 0, fmt.Errorf("%w: %s stands there twice", ErrValue, a.Name)
	}
	if a.Flag {
		in.values[a.Name] = nil
		return 1, nil
	}
	if len(words) < 2 {
		return 0, fmt.Errorf("%w: a value of %s follows", ErrIncomplete, a.Name)
	}
	return 2, in.set(a, words[1:2])
}

func (in *Input) set(a *Arg, words []string) error {
	if a.Check != nil {
		for _, w := range words {
			if err := a.Check(w); err != nil {
				return fmt.Errorf("%w: %s %q: %w", ErrValue, a.Name, w, err)
			}
		}
	}
	in.values[a.Name] = words
	return nil
}

// keyword returns the keyword argument that word names or begins.
func (c *Command) keyword(word string) (found *Arg) {
	for i := range c.Args {
		a := &c.Args[i]
		switch {
		case !a.Keyword:
		case a.Name == word:
			return a
		case len(word) > 0 && strings.HasPrefix(a.Name, word):
			if found != nil {
				return nil
			}
			found = a
		}
	}
	return found
}

// positional returns the argument at or behind number next, and steps to it.
func (c *Command) positional(next *int) *Arg {
	for ; *next < len(c.Args); *next++ {
		if !c.Args[*next].Keyword {
			return &c.Args[*next]
		}
	}
	return nil
}

// takesRest tells that the next positional argument takes every word.
func (c *Command) takesRest(next int) bool {
	a := c.positional(&next)
	return a != nil && a.Rest
}

func (c *Command) surplus(word string) error {
	var known []string
	for _, a := range c.Args {
		if a.Keyword {
			known = append(known, a.Name)
		}
	}
	for _, s := range c.Sub {
		known = append(known, s.Name)
	}
	if len(known) == 0 {
		return fmt.Errorf("%w: %q is too much", ErrUnknown, word)
	}
	return unknown(word, known)
}

// missing names the first argument that must be there and is not.
func (in *Input) missing() error {
	for i := range in.Command.Args {
		a := &in.Command.Args[i]
		if !a.Keyword && !a.Optional && !in.Has(a.Name) {
			return fmt.Errorf("%w: %s follows (%s)", ErrIncomplete, a.hint(), a.Help)
		}
	}
	return nil
}

// hint is how an argument is written in help.
func (a *Arg) hint() string { return "<" + a.Name + ">" }
