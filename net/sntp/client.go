package sntp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	crand "crypto/rand"
)

// Clock is the seam behind which the machine's clock is set, or not.
type Clock interface {
	Now() time.Time
	Step(offset time.Duration) error // at once
	Slew(offset time.Duration) error // little by little
}

// Options are what a client is told.
type Options struct {
	Clock Clock
	Floor time.Time // nobody's time lies before it
	// Lookup returns the addresses of a host name.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Set is told what was done to the clock, from the client's goroutine.
	Set func(Action)
	Log *slog.Logger
}

const (
	ntpPort       = "123"
	answerTimeout = 2 * time.Second
	lookupTimeout = 8 * time.Second
)

// Client asks servers and sets a clock.
type Client struct {
	opt   Options
	began time.Time
	poke  chan struct{}

	mu sync.Mutex // guards what follows
	m  *Machine
}

// NewClient makes a client without servers. Run runs it.
func NewClient(opt Options) *Client {
	return &Client{opt: opt, began: time.Now(), poke: make(chan struct{}, 1),
		m: New(Config{Floor: opt.Floor, Random: func(n time.Duration) time.Duration { return rand.N(max(n, 1)) }})}
}

// Sets tells whether the client's clock is the machine's.
func (c *Client) Sets() bool { return c.opt.Clock == Clock(System{}) }

// Use replaces the servers: addresses or host names.
func (c *Client) Use(names []string) {
	c.mu.Lock()
	c.m.Use(c.now(), names)
	c.mu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default: // it will look
	}
}

// Look returns what is known of the servers, how long ago they agreed (negative:
// never), and the client's clock, which Server.When is of.
func (c *Client) Look() (list []Server, synced, now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, synced = c.now(), -1
	if s := c.m.Synced(); s >= 0 {
		synced = now - s
	}
	return c.m.Servers(), synced, now
}

// now is the machine's clock: the one that is set does not move it.
func (c *Client) now() time.Duration { return time.Since(c.began) }

// Run asks until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.poke:
		case <-timer.C:
			c.round(ctx)
		}
		c.mu.Lock()
		d := c.m.Deadline()
		c.mu.Unlock()
		if d == Never {
			timer.Stop()
		} else {
			timer.Reset(max(d-c.now(), 0))
		}
	}
}

// round asks who is due and does what follows.
func (c *Client) round(ctx context.Context) {
	c.mu.Lock()
	due := c.m.Due(c.now())
	c.mu.Unlock()
	for _, name := range due {
		s, err := c.ask(ctx, name)
		if err != nil {
			c.opt.Log.Debug("no time", "server", name, "error", err)
		}
		c.mu.Lock()
		c.m.Heard(c.now(), name, c.opt.Clock.Now(), s, err)
		c.mu.Unlock()
	}
	c.mu.Lock()
	a, ok := c.m.Decide(c.now())
	c.mu.Unlock()
	if ok {
		c.set(a)
	}
}

func (c *Client) set(a Action) {
	do := c.opt.Clock.Slew
	if a.Step {
		do = c.opt.Clock.Step
	}
	if err := do(a.Offset); err != nil {
		c.opt.Log.Warn("cannot set the clock", "error", err)
		return
	}
	if c.opt.Set != nil {
		c.opt.Set(a)
	}
}

// ask puts one question to one server.
func (c *Client) ask(ctx context.Context, name string) (Sample, error) {
	look, cancel := context.WithTimeout(ctx, lookupTimeout)
	addrs, err := c.opt.Lookup(look, name)
	cancel()
	if err != nil {
		return Sample{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	err = errors.New("no address")
	for _, a := range addrs[:min(2, len(addrs))] {
		var s Sample
		if s, err = c.exchange(ctx, a); err == nil {
			return s, nil
		}
	}
	return Sample{}, err
}

func (c *Client) exchange(ctx context.Context, a netip.Addr) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", net.JoinHostPort(a.String(), ntpPort))
	if err != nil {
		return Sample{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // fails on closed ones only
	var secret [8]byte
	crand.Read(secret[:])
	nonce := binary.BigEndian.Uint64(secret[:])
	start, sent := time.Now(), c.opt.Clock.Now()
	if _, err := conn.Write(request(nonce)); err != nil {
		return Sample{}, err
	}
	b := make([]byte, 512)
	for {
		n, err := conn.Read(b)
		if err != nil {
			return Sample{}, err
		}
		s, err := read(b[:n], nonce, sent, time.Since(start))
		if !errors.Is(err, ErrAnswer) {
			return s, err
		}
	}
}
