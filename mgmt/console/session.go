package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"waymark/mgmt/console/cli"
	"waymark/mgmt/console/tty"
)

// session is one user at a terminal.
type session struct {
	o    *Options
	term *tty.Terminal // nil: one command without terminal
	base *cli.Tree
	over bool    // the user leaves
	edit *editor // nil: outside of the configuration
	name string
	page bool

	once sync.Once // of base
}

func newSession(t *tty.Terminal, o *Options) *session {
	s := &session{o: o, term: t, page: true}
	if t != nil {
		t.OnKey = s.key
	}
	return s
}

// tree returns the commands that are valid now.
func (s *session) tree() *cli.Tree {
	if s.edit != nil {
		return s.edit.tree
	}
	s.once.Do(func() { s.base = &cli.Tree{Commands: s.commands()} })
	return s.base
}

// loop reads and runs commands until the user leaves (nil) or the terminal
// fails.
func (s *session) loop(ctx context.Context) error {
	s.learnName(ctx)
	s.term.Notef("Waymark console of %s. Type ? for commands.", s.nameOr("this box"))
	for !s.over {
		line, err := s.term.ReadLine(s.prompt())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, tty.ErrIdle) {
			s.term.Notef("logged out: nobody typed")
			return err
		}
		if err != nil {
			return err
		}
		if err := s.do(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// do runs a line; its error is the terminal's, the command's was told.
func (s *session) do(ctx context.Context, line string) error {
	in, err := s.tree().Parse(strings.TrimSuffix(strings.TrimSpace(line), "?"), s.o.Level)
	if in == nil || err != nil {
		return s.tell(err)
	}
	ctx, done := s.term.Interruptible(ctx)
	defer done()
	in.Out = s.term
	if s.page {
		in.Out = s.term.Page(ctx)
	}
	return s.tell(s.run(ctx, in))
}

// execute runs a line without terminal.
func (s *session) execute(ctx context.Context, out io.Writer, line string) error {
	in, err := s.tree().Parse(line, s.o.Level)
	if err != nil || in == nil {
		return err
	}
	in.Out = out
	return s.run(ctx, in)
}

// run runs a command.
func (s *session) run(ctx context.Context, in *cli.Input) error {
	return in.Command.Run(ctx, in)
}

// tell shows the error of a command, unless it is the user's own doing. It
// returns errors of the terminal.
func (s *session) tell(err error) error {
	switch {
	case err == nil, errors.Is(err, tty.ErrQuit):
		return nil
	case errors.Is(err, tty.ErrStalled), errors.Is(err, tty.ErrHangup), errors.Is(err, tty.ErrClosed):
		return err
	case errors.Is(err, context.Canceled):
		s.term.Notef("interrupted")
		return nil
	}
	s.term.Notef("%% Error: %v", err)
	return nil
}

// prompt is the vendor's: user@node.router, # for admins, > for others.
func (s *session) prompt() string {
	mark := "> "
	if s.o.Level == cli.Admin {
		mark = "# "
	}
	star, place := "", ""
	if s.edit != nil {
		place = " (" + strings.TrimSpace("configure "+last(s.edit.at, 2)) + ")"
		if st, err := s.store(); err == nil {
			if _, fresh, err := st.Candidate(); err == nil && !fresh {
				star = "*"
			}
		}
	}
	return star + s.o.User + "@" + s.nameOr("waymark") + place + mark
}

// last returns the last n words of a place.
func last(at []string, n int) string {
	return strings.Join(at[max(0, len(at)-n):], " ")
}

func (s *session) nameOr(unknown string) string {
	if s.name == "" {
		return unknown
	}
	return s.name
}

// key completes and helps while a line is typed.
func (s *session) key(line string, pos int, key rune) (string, int, bool) {
	head, tail := line[:pos], line[pos:]
	switch {
	case key == '\t':
		longer, ok := s.tree().Complete(head, s.o.Level)
		if !ok {
			s.help(head)
			return line, pos, true
		}
		return longer + tail, len(longer), true
	case key == '?' && strings.Count(head, `"`)%2 == 0:
		s.help(head)
		return line, pos, true
	}
	return "", 0, false
}

// help shows what may follow.
func (s *session) help(head string) {
	list := s.tree().Options(head, s.o.Level)
	if len(list) == 0 {
		_, err := s.tree().Parse(head, s.o.Level)
		if err == nil {
			err = errNothing
		}
		fmt.Fprintf(s.term, "%% %v\n", err)
		return
	}
	var text strings.Builder
	cli.List(&text, list)
	_, _ = io.WriteString(s.term, text.String()) // the line that is read next fails too
}

var errNothing = errors.New("nothing can follow")

// ask puts a question within a command.
func (s *session) ask(question string) (string, error) {
	if s.term == nil {
		return "", errNeedsTerminal
	}
	return s.term.Ask(question)
}

var errNeedsTerminal = errors.New("this needs a terminal, because it asks back")
