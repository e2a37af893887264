package cli

import (
	"context"
	"io"
)

// Level is what a user may do.
type Level uint8

// Levels, the lesser first.
const (
	Operator Level = iota // looks, and asks the network
	Admin                 // changes things
)

// String returns "operator" or "admin".
func (l Level) String() string {
	if l == Admin {
		return "admin"
	}
	return "operator"
}

// Word is something that may be typed at a place, with its explanation. A
// Hint stands for a value that cannot be listed: it is shown, never completed.
type Word struct {
	Text, Help string
	Hint       bool
}

// Arg is an argument of a command.
type Arg struct {
	Name string
	Help string

	// Keyword: the argument is introduced by its name and may stand anywhere
	// behind the command ("count 5"). Otherwise it is positional.
	Keyword bool
	// Flag: a Keyword without a value ("detail").
	Flag bool
	// Optional: a positional argument that may be left out.
	Optional bool
	// Rest: takes all words that are left, at least one unless Optional.
	Rest bool

	// Values lists what may stand here; before are the words of a Rest that
	// precede it. Nil: anything.
	Values func(before []string) []Word
	// Check says what is wrong with a value; nil: anything goes.
	Check func(value string) error
}

// Command is a node of the tree: a group of commands, something to run, or both.
type Command struct {
	Name  string
	Help  string
	Level Level
	Args  []Arg
	Sub   []*Command
	Run   func(ctx context.Context, in *Input) error
}

// Input is a command that was typed.
type Input struct {
	Command *Command
	Path    []string // full names: "show", "peers"
	Out     io.Writer
	values  map[string][]string
}

// Has tells whether an argument was given.
func (in *Input) Has(arg string) bool { _, ok := in.values[arg]; return ok }

// Get returns the value of an argument, "" when it was not given.
func (in *Input) Get(arg string) string {
	if v := in.values[arg]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Rest returns all words of an argument.
func (in *Input) Rest(arg string) []string { return in.values[arg] }

// Tree is a whole command line. It is read-only and safe for concurrent use.
type Tree struct {
	Commands []*Command
	// Default takes lines whose first word is no command; nil: nobody does.
	// Words that both know are the command's.
	Default *Command
}
