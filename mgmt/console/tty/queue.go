package tty

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Errors of a terminal.
var (
	ErrStalled = errors.New("terminal takes no output")
	ErrClosed  = errors.New("terminal is closed")
)

// chunk is how many bytes are given to the stream at once: few, so that a slow
// line shows progress.
const chunk = 512

// queue is the way out: bytes that wait for a goroutine that writes them.
type queue struct {
	stream io.Writer
	limit  int
	stall  time.Duration
	failed func(error)   // told once, without the lock
	wake   chan struct{} // for the writer: there is something
	room   chan struct{} // for who waits: something went
	dead   chan struct{} // closed with err set

	mu      sync.Mutex // guards what follows
	buf     []byte
	busy    bool // the writer has bytes that are not in buf
	err     error
	dropped int // notices
}

func newQueue(stream io.Writer, limit int, stall time.Duration, failed func(error)) *queue {
	q := &queue{stream: stream, limit: limit, stall: stall, failed: failed,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), dead: make(chan struct{})}
	go q.run()
	return q
}

// poke leaves a token in a channel of one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what comes until the queue fails.
func (q *queue) run() {
	for {
		select {
		case <-q.wake:
		case <-q.dead:
			return
		}
		for q.step() {
		}
	}
}

// step writes one chunk and tells whether there may be more.
func (q *queue) step() bool {
	q.mu.Lock()
	if q.err != nil || len(q.buf) == 0 {
		q.mu.Unlock()
		return false
	}
	part := append([]byte(nil), q.buf[:min(chunk, len(q.buf))]...)
	q.buf, q.busy = q.buf[:copy(q.buf, q.buf[len(part):])], true
	q.mu.Unlock()
	_, err := q.stream.Write(part)
	q.mu.Lock()
	q.busy = false
	q.mu.Unlock()
	if err != nil {
		q.fail(fmt.Errorf("write to terminal: %w", err))
		return false
	}
	poke(q.room)
	return true
}

// fail ends the queue; the first error counts.
func (q *queue) fail(err error) {
	q.mu.Lock()
	first := q.err == nil
	if first {
		q.err = err
		close(q.dead)
	}
	q.mu.Unlock()
	if first {
		q.failed(err)
	}
}

// Write queues p, waiting for room as long as bytes leave. One goroutine at a
// time.
func (q *queue) Write(p []byte) (int, error) {
	done := 0
	for {
		n, err := q.put(p[done:])
		if done += n; err != nil || done == len(p) {
			return done, err
		}
		if err := q.wait(); err != nil {
			return done, err
		}
	}
}

// put queues as much of p as fits.
func (q *queue) put(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0, q.err
	}
	n := min(len(p), q.limit-len(q.buf))
	q.buf = append(q.buf, p[:n]...)
	poke(q.wake)
	return n, nil
}

// wait returns when bytes have left; the queue fails when none do.
func (q *queue) wait() error {
	t := time.NewTimer(q.stall)
	defer t.Stop()
	select {
	case <-q.room:
		return nil
	case <-t.C:
		q.fail(ErrStalled)
	case <-q.dead:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// try queues all of p or nothing, without waiting.
func (q *queue) try(p []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil || len(p) > q.limit-len(q.buf) {
		q.dropped++
		return false
	}
	q.buf = append(q.buf, p...)
	poke(q.wake)
	return true
}

// lost returns how many notices were dropped since it was asked last.
func (q *queue) lost() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

// flush waits until everything is written, at most for limit.
func (q *queue) flush(limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		q.mu.Lock()
		idle, err := len(q.buf) == 0 && !q.busy, q.err
		q.mu.Unlock()
		if idle || err != nil {
			return err
		}
		select {
		case <-q.room:
		case <-q.dead:
		case <-t.C:
			return ErrStalled
		}
	}
}
