package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"waymark/mgmt/console/cli"
	"waymark/mgmt/console/login"
	"waymark/mgmt/console/tty"
)

// Options say whose console it is.
type Options struct {
	Run    string    // run directory of the box's processes
	Config string    // running configuration; its candidate and versions lie beside it. Empty: none can be edited
	Port   string    // for the log: "ttyS0"
	Level  cli.Level // of whoever is there, or logs in
	User   string    // name in the prompt; empty: the level's

	// Gate asks for the login secret; nil: whoever has the stream is in.
	Gate *login.Gate
	// ShowSecret: this is the first port, where a secret is made and shown if
	// the gate has none.
	ShowSecret bool

	Idle          time.Duration // until a session is logged out; 0: 15 minutes, below 0: never
	Stall         time.Duration // until a terminal that takes nothing is left; 0: a minute
	Width, Height int           // of the terminal; 0: 80 × 24; a height below 0: no pages

	// Resized tells new sizes of the terminal; nil: there are none.
	Resized <-chan Size

	Log *slog.Logger // of logins; nil: slog.Default()
}

// Size is the size of a terminal in characters.
type Size struct{ Width, Height int }

// idleDefault is how long a session waits for a key.
const idleDefault = 15 * time.Minute

func (o *Options) defaults() {
	switch {
	case o.Idle == 0:
		o.Idle = idleDefault
	case o.Idle < 0:
		o.Idle = 0
	}
	if o.User == "" {
		o.User = o.Level.String()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// Serve is a console on a stream of single bytes (raw: no echo, no line
// editing, no signals) until ctx ends, the stream does, or, without a Gate, the
// user leaves; the last is no error. It closes the stream.
//
// With a Gate it goes back to the login when a session ends. Errors are
// tty.ErrHangup (carrier lost: open the port again) and tty.ErrStalled.
func Serve(ctx context.Context, stream io.ReadWriteCloser, o Options) error {
	o.defaults()
	t := tty.New(stream, tty.Config{Width: o.Width, Height: o.Height, Idle: o.Idle, Stall: o.Stall})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer t.Close()
	defer context.AfterFunc(ctx, func() { t.Close() })()
	go follow(ctx, t, o.Resized)
	for {
		if err := enter(t, &o); err != nil {
			return endOf(ctx, err)
		}
		err := newSession(t, &o).loop(ctx)
		t.Forget()
		if err == nil || errors.Is(err, tty.ErrIdle) {
			if o.Gate != nil {
				o.Log.Info("console session ended", "port", o.Port, "idle", err != nil)
				continue
			}
			return nil
		}
		return endOf(ctx, err)
	}
}

// endOf is what Serve returns for an error; a context that ended is none.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow tells the terminal its size.
func follow(ctx context.Context, t *tty.Terminal, sizes <-chan Size) {
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			t.SetSize(s.Width, s.Height)
		case <-ctx.Done():
			return
		}
	}
}

// Execute runs one command line, without pages, questions or login.
func Execute(ctx context.Context, out io.Writer, line string, o Options) error {
	o.defaults()
	return newSession(nil, &o).execute(ctx, out, line)
}

// Script runs the lines of a file as one session until one fails or says exit.
// Lines that are empty or begin with # do nothing.
func Script(ctx context.Context, lines io.Reader, out io.Writer, o Options) error {
	o.defaults()
	s := newSession(nil, &o)
	sc := bufio.NewScanner(lines)
	for n := 1; sc.Scan() && !s.over; n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.execute(ctx, out, line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read script: %w", err)
	}
	return nil
}
