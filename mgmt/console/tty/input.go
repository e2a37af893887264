package tty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Errors of reading.
var (
	ErrHangup = errors.New("terminal hung up")
	ErrIdle   = errors.New("nobody typed")
)

// typeAhead bounds what was typed and not read yet, in bytes.
const typeAhead = 4096

const ctrlC = 3

// clearLine is what an interrupt at the prompt becomes: to the end of the line,
// remove it, enter.
const clearLine = "\x05\x15\r"

// input is the way in: a goroutine reads the stream, so that an interrupt is
// seen while a command runs.
type input struct {
	idle  time.Duration
	ready chan struct{} // for who reads: something came, or the end

	mu        sync.Mutex // guards what follows
	buf       []byte
	err       error
	interrupt func() // of the command that runs; nil: none does
}

func newInput(stream io.Reader, idle time.Duration) *input {
	in := &input{idle: idle, ready: make(chan struct{}, 1)}
	go in.run(stream)
	return in
}

func (in *input) run(stream io.Reader) {
	var part [256]byte
	for {
		n, err := stream.Read(part[:])
		in.take(part[:n])
		if err != nil || n == 0 {
			in.end(err)
			return
		}
	}
}

// take files what was typed.
func (in *input) take(typed []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, b := range typed {
		switch {
		case b == ctrlC && in.interrupt != nil:
			in.buf = in.buf[:0]
			in.interrupt()
		case b == ctrlC:
			in.buf = append(in.buf[:min(len(in.buf), typeAhead)], clearLine...)
		case len(in.buf) < typeAhead:
			in.buf = append(in.buf, b)
		}
	}
	poke(in.ready)
}

// end files that the stream ended; a running command is interrupted.
func (in *input) end(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err == nil || errors.Is(err, io.EOF) {
		in.err = ErrHangup
	} else {
		in.err = fmt.Errorf("%w: %w", ErrHangup, err)
	}
	if in.interrupt != nil {
		in.interrupt()
	}
	poke(in.ready)
}

// during sets what an interrupt does and returns what it did. A stream that
// ended interrupts at once.
func (in *input) during(interrupt func()) (before func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	before, in.interrupt = in.interrupt, interrupt
	if in.err != nil && interrupt != nil {
		interrupt()
	}
	return before
}

// Read returns what was typed, waiting for it.
func (in *input) Read(p []byte) (int, error) { return in.read(context.Background(), p) }

func (in *input) read(ctx context.Context, p []byte) (int, error) {
	var timeout <-chan time.Time
	if in.idle > 0 {
		t := time.NewTimer(in.idle)
		defer t.Stop()
		timeout = t.C
	}
	for {
		if n, err := in.get(p); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-in.ready:
		case <-timeout:
			return 0, ErrIdle
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (in *input) get(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := copy(p, in.buf)
	in.buf = in.buf[:copy(in.buf, in.buf[n:])]
	if n == 0 && in.err != nil {
		return 0, in.err
	}
	return n, nil
}
