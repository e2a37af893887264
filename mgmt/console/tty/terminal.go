package tty

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Config says how a terminal is. The zero value is that of a serial port.
type Config struct {
	Width, Height int           // in characters; 0: 80 × 24. Height below 0: no pages
	Idle          time.Duration // without a key: ErrIdle. 0: never
	Stall         time.Duration // without output taken: ErrStalled. 0: a minute
	Queue         int           // bytes of output that may wait. 0: 64 KiB
}

// Terminal is a line of people at a stream. One goroutine uses it; Notify and
// SetSize may be called from any.
type Terminal struct {
	stream  io.ReadWriteCloser
	out     *queue
	in      *input
	mu      sync.Mutex // guards which line editor it is, for SetSize
	line    *term.Terminal
	history *history
	size    atomic.Uint64 // width in the upper half, height in the lower
	OnKey   KeyFunc       // set before ReadLine
}

// KeyFunc is told each key that edits nothing, "?" and tab among them, with the
// line and the place of the cursor in bytes. With ok the line becomes what it
// returns. It may write to the terminal.
type KeyFunc func(line string, pos int, key rune) (newLine string, newPos int, ok bool)

// pair is what x/term reads and writes.
type pair struct {
	io.Reader
	io.Writer
}

// New makes a terminal of a stream that passes single bytes (raw). Close gives
// the stream back, closed.
func New(stream io.ReadWriteCloser, cfg Config) *Terminal {
	if cfg.Stall == 0 {
		cfg.Stall = time.Minute
	}
	if cfg.Queue == 0 {
		cfg.Queue = 64 << 10
	}
	t := &Terminal{stream: stream, history: &history{}, in: newInput(stream, cfg.Idle)}
	// x/term does not tell when it cannot write: reading must end then too.
	t.out = newQueue(stream, cfg.Queue, cfg.Stall, t.in.end)
	t.newLine()
	t.SetSize(cfg.Width, cfg.Height)
	return t
}

// newLine makes a fresh line editor.
func (t *Terminal) newLine() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = term.NewTerminal(pair{t.in, t.out}, "")
	t.line.History = t.history
	t.line.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if t.OnKey == nil {
			return "", 0, false
		}
		return t.OnKey(line, pos, key)
	}
}

// abandon leaves a line that was not finished: x/term would go on with it.
func (t *Terminal) abandon(err error) {
	if errors.Is(err, ErrIdle) {
		t.newLine()
		t.SetSize(t.Size())
		t.Notef("")
	}
}

// SetSize tells the size of the window; 0 is 80 × 24, a height below 0 turns
// pages off.
func (t *Terminal) SetSize(width, height int) {
	if width <= 0 {
		width = 80
	}
	if height == 0 {
		height = 24
	}
	t.size.Store(uint64(uint32(width))<<32 | uint64(uint32(int32(height))))
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.line.SetSize(width, max(height, 24)) // fails with the stream, as the next write will
}

// Size returns the size of the window; a height below 0 means no pages.
func (t *Terminal) Size() (width, height int) {
	v := t.size.Load()
	return int(v >> 32), int(int32(uint32(v)))
}

// ReadLine reads a line. io.EOF is the key for the end (^D); other errors are
// ErrIdle, ErrHangup, ErrStalled, ErrClosed.
func (t *Terminal) ReadLine(prompt string) (string, error) {
	if n := t.out.lost(); n > 0 {
		t.Notef("%d notices were lost", n)
	}
	t.line.SetPrompt(prompt)
	line, err := t.line.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	t.abandon(err)
	return line, t.cause(err)
}

// ReadSecret reads a line without showing or remembering it.
func (t *Terminal) ReadSecret(prompt string) (string, error) {
	line, err := t.line.ReadPassword(prompt)
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	t.abandon(err)
	return line, t.cause(err)
}

// cause returns why the way out broke, if it did: x/term does not tell.
func (t *Terminal) cause(err error) error {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	if t.out.err != nil {
		return t.out.err
	}
	return err
}

// Write writes text; line ends become those of a terminal.
func (t *Terminal) Write(p []byte) (int, error) {
	n, err := t.line.Write(p)
	return n, t.cause(err)
}

// Notef writes a notice in a line of its own.
func (t *Terminal) Notef(format string, args ...any) { notef(t, format, args...) }

// Notify writes a line from elsewhere, or drops it when the terminal is behind;
// the next prompt tells how many.
func (t *Terminal) Notify(text string) bool {
	return t.out.try([]byte("\r\n" + text + "\r\n"))
}

// Interruptible returns a context that the interrupt key (^C) and the end of
// the stream cancel, until done is called.
func (t *Terminal) Interruptible(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	t.in.during(cancel)
	return ctx, func() {
		t.in.during(nil)
		cancel()
	}
}

// History returns the newest lines, oldest first.
func (t *Terminal) History() []string { return t.history.lines() }

// Forget drops the lines that were typed: they belong to who typed them.
func (t *Terminal) Forget() { t.history.list = nil }

// Flush waits until everything is written, at most for limit.
func (t *Terminal) Flush(limit time.Duration) error { return t.out.flush(limit) }

// Close ends the terminal and closes its stream. Output that waits has a
// second to leave.
func (t *Terminal) Close() error {
	_ = t.out.flush(time.Second) // what does not leave is lost with the terminal
	t.out.fail(ErrClosed)
	return t.stream.Close()
}

// Ask reads an answer within a command; the interrupt key makes it empty. It
// does not become history, and keys do what they say.
func (t *Terminal) Ask(question string) (string, error) {
	interrupt, onKey := t.in.during(nil), t.OnKey
	t.OnKey, t.line.History = nil, &history{}
	defer func() {
		t.OnKey, t.line.History = onKey, t.history
		t.in.during(interrupt)
	}()
	return t.ReadLine(question)
}
