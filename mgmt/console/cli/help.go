package cli

import (
	"fmt"
	"io"
	"strings"
)

// List writes words with their explanations, as a question mark shows them.
func List(w io.Writer, words []Word) {
	width := 0
	for _, o := range words {
		width = max(width, len([]rune(o.Text)))
	}
	for _, o := range words {
		pad := strings.Repeat(" ", width-len([]rune(o.Text)))
		fmt.Fprintln(w, strings.TrimRight("  "+o.Text+pad+"  "+o.Help, " "))
	}
}

// Usage writes what the words of a line name: the synopsis of a command and its
// arguments, or the commands below it.
func (t *Tree) Usage(w io.Writer, words []string, level Level) error {
	var path []string
	list := t.Commands
	var c *Command
	for _, word := range words {
		next, err := find(list, word, level)
		if err != nil {
			return behind(path, err)
		}
		c, list, path = next, next.Sub, append(path, next.Name)
	}
	if c == nil {
		List(w, commandWords(list, level))
		return nil
	}
	fmt.Fprintf(w, "%s: %s\n", strings.Join(path, " "), c.Help)
	if c.Run != nil {
		fmt.Fprintf(w, "usage: %s\n", strings.Join(append(path, c.synopsis()...), " "))
		var args []Word
		for i := range c.Args {
			args = append(args, Word{Text: c.Args[i].Name, Help: c.Args[i].Help})
		}
		List(w, args)
	}
	List(w, commandWords(c.Sub, level))
	return nil
}

// synopsis is how the arguments are written.
func (c *Command) synopsis() (parts []string) {
	for i := range c.Args {
		a := &c.Args[i]
		s := a.hint()
		switch {
		case a.Flag:
			s = a.Name
		case a.Keyword:
			s = a.Name + " " + s
		case a.Rest:
			s += "..."
		}
		if a.Keyword || a.Optional {
			s = "[" + s + "]"
		}
		parts = append(parts, s)
	}
	return parts
}
