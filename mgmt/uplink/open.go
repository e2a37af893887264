package uplink

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// ErrEnded: the connection ended before a channel was opened.
var ErrEnded = errors.New("connection ended")

// Open opens a channel of a connection as its OpenChannel does, and fails with
// ErrEnded when gone is closed first, which its owner does once Wait has returned.
//
// OpenChannel by itself waits for ever when the connection ends just then: package
// ssh (v0.58, mux.loop) gives up the channels that it knows before it closes the
// transport, and one that is asked for in between nobody answers any more. The
// goroutine that asked is lost; that takes a few microseconds of bad luck.
func Open(c ssh.Conn, gone <-chan struct{}, kind string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type result struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		ch, reqs, err := c.OpenChannel(kind, data)
		opened <- result{ch, reqs, err}
	}()
	select {
	case r := <-opened:
		return r.ch, r.reqs, r.err
	case <-gone:
		return nil, nil, ErrEnded
	}
}

// Gone returns what is closed when a connection has ended.
func Gone(c ssh.Conn) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		_ = c.Wait() // whatever ended it
		close(gone)
	}()
	return gone
}
