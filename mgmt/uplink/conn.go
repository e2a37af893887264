package uplink

import (
	"net"
	"sync/atomic"
	"time"
)

// Conn is a connection that ends by itself when the other side takes nothing,
// or after Rolling says nothing.
type Conn struct {
	net.Conn
	stall   time.Duration
	silence atomic.Int64 // nanoseconds; 0: the deadline that was set holds

	sent, received atomic.Uint64
}

// NewConn wraps c; stall bounds each write once Rolling was called.
func NewConn(c net.Conn, stall time.Duration) *Conn { return &Conn{Conn: c, stall: stall} }

// Rolling replaces the deadline that was set: from now on a read fails after
// silence, and a write after the stall.
func (c *Conn) Rolling(silence time.Duration) {
	c.silence.Store(int64(silence))
	now := time.Now()
	_ = c.Conn.SetReadDeadline(now.Add(silence)) // both fail with the connection
	_ = c.Conn.SetWriteDeadline(now.Add(c.stall))
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if s := c.silence.Load(); s > 0 {
		if err := c.Conn.SetReadDeadline(time.Now().Add(time.Duration(s))); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	c.received.Add(uint64(n))
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if c.silence.Load() > 0 {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(p)
	c.sent.Add(uint64(n))
	return n, err
}

// Bytes tells what went over the connection, without headers of TCP and IP.
func (c *Conn) Bytes() (sent, received uint64) { return c.sent.Load(), c.received.Load() }
