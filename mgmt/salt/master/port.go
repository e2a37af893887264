package master

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// port accepts connections within limits. A connection is half-open until
// serve calls its opened; when too many are, the oldest is closed: a flood of
// them cannot keep out who comes now.
type port struct {
	l       net.Listener
	name    string
	limits  Limits
	refused *refused
	serve   func(ctx context.Context, c net.Conn, opened func())

	mu    sync.Mutex
	half  list.List // of net.Conn, oldest first
	conns map[net.Conn]bool
}

var (
	errConns = errors.New("too many connections")
	errHalf  = errors.New("too many half-open connections")
)

// host is the address of a peer without its port: what refusals are told by.
func host(c net.Conn) string {
	h, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return "unknown"
	}
	return h
}

// run accepts until ctx ends and waits for all it started.
func (p *port) run(ctx context.Context) error {
	p.conns = map[net.Conn]bool{}
	var done sync.WaitGroup
	defer done.Wait()
	stop := context.AfterFunc(ctx, func() {
		p.l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.conns {
			c.Close()
		}
	})
	defer stop()
	for {
		c, err := p.l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept %s: %w", p.name, err)
		case err != nil: // no descriptors, a peer that is gone again: both pass
			p.refused.note("accept", p.name, err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		element, ok := p.enter(c)
		if !ok {
			p.refused.note("connection to "+p.name, host(c), errConns)
			c.Close()
			continue
		}
		done.Go(func() {
			defer p.leave(c, element)
			p.serve(ctx, c, func() { p.opened(element) })
		})
	}
}

func (p *port) enter(c net.Conn) (*list.Element, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.half.Len() >= p.limits.HalfOpen {
		oldest := p.half.Remove(p.half.Front()).(net.Conn)
		p.refused.note("half-open connection to "+p.name, host(oldest), errHalf)
		oldest.Close() // its goroutine ends and leaves
		delete(p.conns, oldest)
	}
	if len(p.conns) >= p.limits.Conns {
		return nil, false
	}
	p.conns[c] = true
	return p.half.PushBack(c), true
}

func (p *port) opened(e *list.Element) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.half.Remove(e)
}

func (p *port) leave(c net.Conn, e *list.Element) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.half.Remove(e)
	delete(p.conns, c)
}
