// Package door lets connections of strangers in within limits and tells what it
// refused once for each kind and address, then by number: whoever reaches a port
// costs a bounded amount, of the log too.
package door

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Door accepts connections. One is half-open until Serve calls its opened; when
// too many are, the oldest is closed: a flood of them cannot keep out who comes
// now.
type Door struct {
	Name    string   // what it leads to, in refusals and errors: "boxes"
	Conns   int      // connections there may be
	Half    int      // half-open ones among them
	Refused *Refused // is told who was not let in

	// Serve is one connection from the first byte to the last, in a goroutine of
	// its own. The door closes c afterwards, and earlier when ctx ends.
	Serve func(ctx context.Context, c net.Conn, opened func())

	mu    sync.Mutex // guards the rest
	half  list.List  // of net.Conn, oldest first
	conns map[net.Conn]bool
}

var (
	errConns = errors.New("too many connections")
	errHalf  = errors.New("too many half-open connections")
)

// acceptPause is the rest after a connection that could not be accepted: no
// descriptors, a peer that is gone again. Both pass.
const acceptPause = 50 * time.Millisecond

// Host is the address of a peer without its port: what refusals are told by.
func Host(c net.Conn) string {
	h, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return "unknown"
	}
	return h
}

// Run accepts until ctx ends, then closes the listener and all connections and
// waits for what it started. It fails when somebody else closes the listener.
func (d *Door) Run(ctx context.Context, l net.Listener) error {
	d.conns = map[net.Conn]bool{}
	var done sync.WaitGroup
	defer done.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer d.shut(l) // also what is left when the listener fails
	defer cancel()
	defer context.AfterFunc(ctx, func() { d.shut(l) })()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept %s: %w", d.Name, err)
		case err != nil:
			d.Refused.Note("accept", d.Name, err)
			time.Sleep(acceptPause)
			continue
		}
		e, ok := d.enter(c)
		if !ok {
			d.Refused.Note("connection to "+d.Name, Host(c), errConns)
			c.Close()
			continue
		}
		done.Go(func() {
			defer d.leave(c, e)
			d.Serve(ctx, c, func() { d.opened(e) })
		})
	}
}

func (d *Door) shut(l net.Listener) {
	l.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		c.Close()
	}
}

func (d *Door) enter(c net.Conn) (*list.Element, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.half.Len() >= d.Half {
		oldest := d.half.Remove(d.half.Front()).(net.Conn)
		d.Refused.Note("half-open connection to "+d.Name, Host(oldest), errHalf)
		oldest.Close() // its goroutine ends and leaves
		delete(d.conns, oldest)
	}
	if len(d.conns) >= d.Conns {
		return nil, false
	}
	d.conns[c] = true
	return d.half.PushBack(c), true
}

func (d *Door) opened(e *list.Element) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.half.Remove(e)
}

func (d *Door) leave(c net.Conn, e *list.Element) {
	c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.half.Remove(e)
	delete(d.conns, c)
}
