package tty

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// ErrQuit is the answer to more output when the reader had enough.
var ErrQuit = errors.New("stopped by the reader")

const (
	more      = "--More-- (space: page, enter: line, q: stop)"
	eraseMore = "\r\x1b[K"
)

// Pager writes to a terminal page by page.
type Pager struct {
	ctx  context.Context
	t    *Terminal
	used int // lines of this page
	rest int // characters of the line that is not ended
	quit bool
}

// Page returns a writer for the output of one command. ctx ends its waits.
func (t *Terminal) Page(ctx context.Context) *Pager { return &Pager{ctx: ctx, t: t} }

// Write implements io.Writer. ErrQuit: the reader wants no more.
func (p *Pager) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		if p.quit {
			return done, ErrQuit
		}
		if err := p.ctx.Err(); err != nil {
			return done, err
		}
		n := bytes.IndexByte(b[done:], '\n') + 1
		if n == 0 {
			n = len(b) - done
		}
		if err := p.line(b[done : done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// line writes at most one line, asking before it if the page is full.
func (p *Pager) line(b []byte) error {
	width, height := p.t.Size()
	if height > 1 && p.used >= height-1 {
		if err := p.ask(height); err != nil {
			return err
		}
	}
	if _, err := p.t.Write(b); err != nil {
		return err
	}
	p.rest += len([]rune(string(b)))
	if b[len(b)-1] == '\n' {
		p.used += 1 + max(p.rest-2, 0)/width
		p.rest = 0
	}
	return nil
}

// ask shows the prompt and acts on one key.
func (p *Pager) ask(height int) error {
	if _, err := io.WriteString(p.t, more); err != nil {
		return err
	}
	var key [1]byte
	for {
		if _, err := p.t.in.read(p.ctx, key[:]); err != nil {
			_, _ = io.WriteString(p.t, eraseMore) // the reason to stop is err
			return err
		}
		switch key[0] {
		case ' ', 'f':
			p.used = 0
		case '\r', '\n', 'j':
			p.used = height - 2
		case 'q', 'Q':
			p.quit = true
		default:
			continue
		}
		break
	}
	_, err := io.WriteString(p.t, eraseMore)
	if p.quit {
		return ErrQuit
	}
	return err
}
