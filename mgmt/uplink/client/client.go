// Package client is the box's end of the uplink to one conductor: it dials,
// proves who it is, and keeps at it for its life. What it says and does is its
// Device's; where and how it dials is its Config's.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
)

// Errors of a connection.
var (
	ErrMoved   = errors.New("the box's own address or way changed")
	ErrSilent  = errors.New("the conductor does not answer")
	ErrVersion = errors.New("the conductor speaks another version")
)

// Device is the box. Its methods end when ctx does, which is when the
// connection does.
type Device interface {
	Facts() uplink.Facts
	// Config takes a configuration and tells what becomes of it at once.
	Config(ctx context.Context, c *uplink.Config) *uplink.ConfigState
	// Book has the router use addresses of peers.
	Book(ctx context.Context, b *uplink.Book) error
	// Shell serves a console until it ends, and closes the stream.
	Shell(ctx context.Context, s uplink.Shell, stream io.ReadWriteCloser, sizes <-chan uplink.Size)
	// Logs lists the logs; OpenLog opens one by a name that Logs told, and
	// returns its size and time too.
	Logs() ([]uplink.Log, error)
	OpenLog(name string) (LogFile, uplink.Log, error)
}

// LogFile is an open log.
type LogFile interface {
	io.ReaderAt
	io.Closer
}

// Outbox has what is to be reported to one conductor, in order. One goroutine
// calls it.
type Outbox interface {
	// Resume is told what the conductor has, at every new connection: what was
	// reported after it is to come again.
	Resume(at uplink.Position)
	// Next waits for the next report.
	Next(ctx context.Context) (uplink.Message, error)
	// Settle is told that the report which Next returned last is kept (nil) or
	// refused: for good if Final, otherwise it is to come again.
	Settle(r *uplink.Refused)
}

// Config of a client.
type Config struct {
	Asset string
	Key   ssh.Signer // ed25519, the box's identity
	Host  string     // HOST or HOST:PORT
	// HostKey decides whether the conductor is the right one.
	HostKey func(host string, key ssh.PublicKey) error
	Dial    func(ctx context.Context, address string) (net.Conn, error)
	Device  Device
	Outbox  Outbox
	// Keepalive is asked before each wait; 1 s to an hour.
	Keepalive func() time.Duration
	// Wake is told that a keepalive is due. True: a report will go out at once,
	// which does as well. nil is false.
	Wake func() bool
	// OnState is told every change; nil: nobody.
	OnState func(s Status)
	Timing  Timing
	Log     *slog.Logger
}

// Timing of a client; zero fields take the default.
type Timing struct {
	Connect time.Duration // until the conductor has answered the greeting; 30 s
	Answer  time.Duration // until it has answered a report; 2 min
	Alive   time.Duration // until it has answered a keepalive; 20 s
	Prove   time.Duration // until it has answered after a way out changed; 5 s
	Stall   time.Duration // until it has taken what we write; 1 min
	Spread  time.Duration // first window of waits between attempts; 12 s
	Longest time.Duration // last one; 5 min
}

func (t *Timing) defaults() {
	for _, d := range []struct {
		v    *time.Duration
		auto time.Duration
	}{{&t.Connect, 30 * time.Second}, {&t.Answer, 2 * time.Minute}, {&t.Alive, 20 * time.Second}, {&t.Prove, 5 * time.Second},
		{&t.Stall, time.Minute}, {&t.Spread, 12 * time.Second}, {&t.Longest, 5 * time.Minute}} {
		if *d.v == 0 {
			*d.v = d.auto
		}
	}
}

// Status is how the connection stands.
type Status struct {
	Host      string       `json:"host"`
	Connected bool         `json:"connected"`
	State     uplink.State `json:"state,omitempty"` // that the conductor told last
	Conductor string       `json:"conductor,omitempty"`
	Reason    string       `json:"reason,omitempty"` // of State, or why it is not connected
	Since     time.Time    `json:"since"`
	Key       string       `json:"key,omitempty"` // fingerprint of its host key
	Attempts  int          `json:"attempts"`      // since it was connected last
}

// Client is the connection to one conductor.
type Client struct {
	cfg    Config
	kicked chan struct{}

	mu       sync.Mutex // guards the rest
	status   Status
	now      *session      // nil: not connected
	attempt  func(error)   // ends the attempt to connect that is being made; nil: none is
	past     Traffic       // of connections that ended
	accepted chan struct{} // closed, and made anew, when a conductor accepts the box
}

// Traffic is what went over a client's connections, in bytes of TCP payload.
type Traffic struct {
	// Packets and Bytes are those of IP, both directions, as the kernel counted
	// them; 0 where it does not.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	// SaltPackets and SaltBytes are what of those Salt's streams are to blame for.
	SaltPackets uint64 `json:"salt-packets"`
	SaltBytes   uint64 `json:"salt-bytes"`
	Sent        uint64 `json:"sent"`
	Received    uint64 `json:"received"`
	Connects    uint64 `json:"connects"`   // greetings that were answered
	Keepalives  uint64 `json:"keepalives"` // that were answered
	Reports     uint64 `json:"reports"`    // that were answered
}

// New makes a client.
func New(cfg Config) *Client {
	cfg.Timing.defaults()
	if cfg.OnState == nil {
		cfg.OnState = func(Status) {}
	}
	if cfg.Wake == nil {
		cfg.Wake = func() bool { return false }
	}
	return &Client{cfg: cfg, kicked: make(chan struct{}, 1), accepted: make(chan struct{}), status: Status{Host: cfg.Host, Since: time.Now().UTC()}}
}

// Run connects again and again until ctx ends.
func (c *Client) Run(ctx context.Context) {
	wait := Backoff{Spread: c.cfg.Timing.Spread, Longest: c.cfg.Timing.Longest}
	var moved time.Time
	for ctx.Err() == nil {
		s, err := c.connect(ctx, false)
		if err == nil {
			err = s.run(ctx)
			if s.welcome.State == uplink.StateAccepted {
				wait.Reset()
			}
			c.ended(s, err)
		} else {
			c.failed(err)
		}
		if ctx.Err() != nil {
			return
		}
		d := wait.Next()
		switch asked := s.retry(); {
		case errors.Is(err, ErrMoved):
			d, moved = 0, time.Now() // our own doing, nobody else comes with us
		case asked > 0:
			d = asked + d%asked
		case time.Since(moved) < settles: // a new way may not carry at once
			d = min(d, rand.N(settles/20))
			wait.Reset()
		}
		c.cfg.Log.Info("uplink: connection ended", "conductor", c.cfg.Host, "err", err, "again-in", d.Round(time.Millisecond))
		c.pause(ctx, d)
	}
}

// settles is how long a way out that changed may take until it carries: so long
// the client tries again soon.
const settles = 10 * time.Second

// trying notes how the attempt that is being made is ended; nil: it is over.
func (c *Client) trying(end func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt = end
}

// pause waits for d, or until somebody says that trying now is worth it.
func (c *Client) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.kicked:
	case <-ctx.Done():
	}
}

// Kick ends a pause between attempts: something changed for the better.
func (c *Client) Kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

// Moved tells that the ways out changed. The client connects anew at once if its
// connection is not the one that it would make now: stays is told its local
// address. One that stays has to prove that it still carries.
func (c *Client) Moved(stays func(local net.Addr) bool) {
	c.mu.Lock()
	s, end := c.now, c.attempt
	c.mu.Unlock()
	switch {
	case s == nil && end != nil:
		end(ErrMoved) // it may wait for an answer on a way that is gone
		return
	case s == nil:
		c.Kick()
		return
	}
	if !stays(s.conn.LocalAddr()) {
		s.end(ErrMoved)
		return
	}
	go s.prove()
}

// Status tells how the connection stands.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Traffic tells what it cost so far.
func (c *Client) Traffic() Traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.past
	if c.now != nil {
		t.add(c.now.traffic())
	}
	return t
}

func (t *Traffic) add(o Traffic) {
	t.Packets += o.Packets
	t.Bytes += o.Bytes
	t.SaltPackets += o.SaltPackets
	t.SaltBytes += o.SaltBytes
	t.Sent += o.Sent
	t.Received += o.Received
	t.Connects += o.Connects
	t.Keepalives += o.Keepalives
	t.Reports += o.Reports
}

// update changes the status and tells it.
func (c *Client) update(change func(*Status)) {
	c.mu.Lock()
	change(&c.status)
	s := c.status
	c.mu.Unlock()
	c.cfg.OnState(s)
}

func (c *Client) failed(err error) {
	c.update(func(s *Status) { s.Attempts++; s.Reason = err.Error() })
}

func (c *Client) ended(s *session, err error) {
	c.mu.Lock()
	c.past.add(s.traffic())
	c.now = nil
	c.mu.Unlock()
	c.update(func(st *Status) {
		st.Connected, st.Since, st.Attempts = false, time.Now().UTC(), 1
		if err != nil && st.State == uplink.StateAccepted {
			st.Reason = err.Error()
		}
	})
}

// Dialer dials without TCP's keepalive: ours finds what it would, and nothing
// is sent that was not meant.
func Dialer() *net.Dialer { return &net.Dialer{Timeout: 20 * time.Second, KeepAlive: -1} }

// Salt opens a stream to a port of the conductor's Salt master. While there is no
// connection that the conductor accepted it waits for one: who lost a stream need
// not ask again and again.
func (c *Client) Salt(ctx context.Context, port int) (net.Conn, error) {
	for {
		c.mu.Lock()
		s, accepted := c.now, c.accepted
		c.mu.Unlock()
		if s != nil && s.accepted.Load() {
			return s.salt(port)
		}
		select {
		case <-accepted:
		case <-ctx.Done():
			return nil, fmt.Errorf("open salt stream: %w", context.Cause(ctx))
		}
	}
}

// welcome tells those who wait that the conductor has accepted the box.
func (c *Client) welcome() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.accepted)
	c.accepted = make(chan struct{})
}

// Probe finds out whether the conductor can be reached and accepts the box,
// with a connection of its own that ends at once.
func (c *Client) Probe(ctx context.Context) error {
	s, err := c.connect(ctx, true)
	if err != nil {
		return fmt.Errorf("probe conductor %s: %w", c.cfg.Host, err)
	}
	defer s.ssh.Close()
	if s.welcome.State != uplink.StateAccepted {
		return fmt.Errorf("probe conductor %s: the box is %s: %s", c.cfg.Host, s.welcome.State, s.welcome.Reason)
	}
	return nil
}
