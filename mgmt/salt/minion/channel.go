package minion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"waymark/mgmt/salt/zmtp"
)

// channel is the connection of requests: one request at a time, opened when
// needed, kept while it works.
type channel struct {
	dial    func(ctx context.Context) (*zmtp.Conn, error)
	timeout time.Duration

	mu   sync.Mutex // held for one request and its reply
	conn *zmtp.Conn
}

// call sends a payload and returns the reply. A connection that was kept and
// turns out to be dead is opened anew, once.
func (c *channel) call(ctx context.Context, payload []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.conn != nil
	reply, err := c.try(ctx, payload)
	if kept && stale(err) && ctx.Err() == nil {
		reply, err = c.try(ctx, payload)
	}
	return reply, err
}

// stale tells errors of a connection that the other side had given up.
func stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

func (c *channel) try(ctx context.Context, payload []byte) (_ []byte, err error) {
	if c.conn == nil {
		if c.conn, err = c.dial(ctx); err != nil {
			return nil, err
		}
	}
	z := c.conn
	stop := context.AfterFunc(ctx, func() { z.Close() })
	defer func() {
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil { // replies have no number: a late one would be taken for the next
			z.Close()
			c.conn = nil
		}
	}()
	if err := z.WriteMessage(nil, payload); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	if err := z.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return nil, fmt.Errorf("await reply: %w", err)
	}
	m, err := z.ReadMessage()
	if err != nil {
		return nil, fmt.Errorf("await reply: %w", err)
	}
	if len(m.Parts) != 2 || len(m.Parts[0]) > 0 {
		return nil, fmt.Errorf("await reply: %w: %d parts", zmtp.ErrFrame, len(m.Parts))
	}
	return m.Parts[1], nil
}

func (c *channel) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
