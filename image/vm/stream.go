package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Stream is one serial port. Everything that was said is kept; reading goes on
// whether anybody waits or not, so that a port never blocks the guest.
type Stream struct {
	m    *Machine
	conn net.Conn

	mu     sync.Mutex
	said   []byte
	seen   int           // how much of said earlier Expects have passed
	change chan struct{} // closed and replaced at every change
	copyTo io.Writer
}

func newStream(m *Machine, conn net.Conn) *Stream {
	return &Stream{m: m, conn: conn, change: make(chan struct{})}
}

// read takes in what the guest says until QEMU closes the port.
func (s *Stream) read() {
	b := make([]byte, 4096)
	for {
		n, err := s.conn.Read(b)
		s.mu.Lock()
		s.said = append(s.said, b[:n]...)
		if s.copyTo != nil && n > 0 {
			_, _ = s.copyTo.Write(b[:n]) // who cannot be told misses it
		}
		s.mu.Unlock()
		s.wake()
		if err != nil {
			return
		}
	}
}

func (s *Stream) wake() {
	s.mu.Lock()
	close(s.change)
	s.change = make(chan struct{})
	s.mu.Unlock()
}

func (s *Stream) close() { s.conn.Close() }

// CopyTo also writes to w what is said from now on, and first what was said.
// Writes are made while the port is locked: w must not use it.
func (s *Stream) CopyTo(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = w.Write(s.said)
	s.copyTo = w
}

// Said returns a copy of everything that was said.
func (s *Stream) Said() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.said)
}

// Write types on the port.
func (s *Stream) Write(b []byte) (int, error) { return s.conn.Write(b) }

// Expect waits until text is said behind what earlier Expects found, and returns
// what was said before it. Prompts need no line end. The error is ctx's or
// ErrEnded.
func (s *Stream) Expect(ctx context.Context, text string) (before string, err error) {
	before, _, err = s.ExpectAny(ctx, text)
	return before, err
}

// ExpectAny is Expect of the text that comes first of several.
func (s *Stream) ExpectAny(ctx context.Context, texts ...string) (before, found string, err error) {
	err = s.await(ctx, func() bool {
		at := -1
		for _, text := range texts {
			if i := bytes.Index(s.said[s.seen:], []byte(text)); i >= 0 && (at < 0 || i < at) {
				at, found = i, text
			}
		}
		if at < 0 {
			return false
		}
		before = string(s.said[s.seen : s.seen+at])
		s.seen += at + len(found)
		return true
	})
	if err != nil {
		return "", "", fmt.Errorf("expect %q: %w", texts, err)
	}
	return before, found, nil
}

// await waits until have, called under the lock after every change, is true.
func (s *Stream) await(ctx context.Context, have func() bool) error {
	for {
		ended := false
		select {
		case <-s.m.done:
			ended = true // look once more: all is said by now
		default:
		}
		s.mu.Lock()
		found, change := have(), s.change
		s.mu.Unlock()
		switch {
		case found:
			return nil
		case ended:
			return s.m.gone()
		}
		select {
		case <-change:
		case <-s.m.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
