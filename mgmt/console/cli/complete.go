package cli

import (
	"slices"
	"sort"
	"strings"

	"waymark/mgmt/token"
)

// end is what a question mark shows where the line may end.
const end = "<enter>"

// Options lists what may stand at the end of a line that is being typed: the
// words that its last, unfinished word begins. A line in which something is
// wrong before that has none.
func (t *Tree) Options(line string, level Level) []Word {
	words, partial, err := token.Partial(line)
	if err != nil {
		return nil
	}
	c, rest, ok := t.descend(words, level)
	if !ok {
		return nil
	}
	var all []Word
	switch {
	case c == nil:
		all = commandWords(t.Commands, level)
		if t.Default != nil && level >= t.Default.Level {
			all = append(all, t.Default.argWords(nil)...)
		}
	default:
		if len(rest) == 0 {
			all = commandWords(c.Sub, level)
		}
		if c.Run != nil {
			all = append(all, c.argWords(rest)...)
		}
	}
	return begun(all, partial)
}

// descend walks down the commands of complete words. rest are those behind the
// last command; c is nil at the top.
func (t *Tree) descend(words []string, level Level) (c *Command, rest []string, ok bool) {
	list := t.Commands
	for len(words) > 0 && len(list) > 0 {
		next, err := find(list, words[0], level)
		if err != nil {
			break
		}
		c, list, words = next, next.Sub, words[1:]
	}
	if len(words) > 0 && c == nil {
		if t.Default == nil || level < t.Default.Level {
			return nil, nil, false
		}
		return t.Default, words, true
	}
	return c, words, len(words) == 0 || c.Run != nil
}

func commandWords(list []*Command, level Level) (words []Word) {
	for _, c := range list {
		if c.Level <= level {
			words = append(words, Word{Text: c.Name, Help: c.Help})
		}
	}
	return words
}

// argWords lists what may follow the words given to a command already.
func (c *Command) argWords(given []string) (words []Word) {
	in := &Input{Command: c, values: map[string][]string{}}
	next := 0
	for len(given) > 0 {
		a := c.keyword(given[0])
		switch {
		case c.takesRest(next):
			return c.restWords(c.positional(&next), given)
		case a != nil && a.Flag:
			in.values[a.Name], given = nil, given[1:]
		case a != nil && len(given) == 1:
			return a.words(nil)
		case a != nil:
			in.values[a.Name], given = given[1:2], given[2:]
		case c.positional(&next) != nil:
			in.values[c.Args[next].Name], given = given[:1], given[1:]
			next++
		default:
			return nil
		}
	}
	if a := c.positional(&next); a != nil {
		words = a.words(nil)
		if !a.Optional {
			return words
		}
	}
	for i := range c.Args {
		if a := &c.Args[i]; a.Keyword && !in.Has(a.Name) {
			words = append(words, Word{Text: a.Name, Help: a.Help})
		}
	}
	return append(words, Word{Text: end, Help: "run the command", Hint: true})
}

// restWords lists what may follow within a Rest.
func (c *Command) restWords(a *Arg, before []string) []Word {
	return append(a.words(before), Word{Text: end, Help: "run the command", Hint: true})
}

func (a *Arg) words(before []string) []Word {
	if a.Values == nil {
		return []Word{{Text: a.hint(), Help: a.Help, Hint: true}}
	}
	return a.Values(before)
}

// begun returns the words that partial begins; hints stay as long as nothing
// else fits.
func begun(all []Word, partial string) (list []Word) {
	var hints []Word
	for _, w := range all {
		switch {
		case w.Hint && (w.Text != end || partial == ""):
			hints = append(hints, w)
		case !w.Hint && strings.HasPrefix(w.Text, partial):
			list = append(list, w)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Text < list[j].Text })
	list = slices.CompactFunc(list, func(a, b Word) bool { return a.Text == b.Text })
	return append(list, hints...)
}

// Complete finishes the last word of a line as far as there is no choice, with
// a blank behind it when there is none left. ok is false when nothing changes.
func (t *Tree) Complete(line string, level Level) (longer string, ok bool) {
	_, partial, err := token.Partial(line)
	if err != nil {
		return line, false
	}
	var texts []string
	for _, w := range t.Options(line, level) {
		if !w.Hint {
			texts = append(texts, w.Text)
		}
	}
	if len(texts) == 0 {
		return line, false
	}
	same := texts[0]
	for _, s := range texts[1:] {
		same = commonPrefix(same, s)
	}
	if len(texts) == 1 {
		longer = withLast(line, partial, same) + " "
	} else if len(same) > len(partial) {
		longer = withLast(line, partial, same)
	}
	return longer, longer != "" && longer != line
}

func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// withLast replaces the unfinished word at the end of a line.
func withLast(line, partial, word string) string {
	head, ok := strings.CutSuffix(line, partial)
	if ok && (head == "" || strings.HasSuffix(head, " ")) && !strings.Contains(line, `"`) {
		return head + token.Quote(word)
	}
	words, _, err := token.Partial(line)
	if err != nil {
		return line
	}
	return token.Join(append(words, word))
}
