// Package uplinktest is for tests: a conductor that keeps everything in memory,
// which outlives the servers it is given to, as a store would.
package uplinktest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/server"
)

// Conductor keeps what boxes report. It accepts the assets it knows and parks
// others.
type Conductor struct {
	mu      sync.Mutex // guards the rest
	known   map[string]uplink.State
	keys    map[string]string // fingerprint by asset, from the first claim on
	assets  map[string]*Asset
	boxes   map[string]server.Box
	change  chan struct{} // closed and made anew at every change
	trouble error         // what reports are answered with

	SaltDial func(asset string, port int) (net.Conn, error) // nil: none
}

// Asset is what is kept of one box.
type Asset struct {
	At          uplink.Position
	Events      []uplink.Event // of all epochs, as they were kept
	Lost        uint64
	Again       int // events that came more than once and were skipped
	Addresses   map[string]uplink.Address
	Updates     int // of addresses
	Entitlement map[int64]uint64
	Config      []uplink.ConfigState
	Attached    int
}

// New makes a conductor that accepts the assets named.
func New(known ...string) *Conductor {
	c := &Conductor{known: map[string]uplink.State{}, keys: map[string]string{}, assets: map[string]*Asset{},
		boxes: map[string]server.Box{}, change: make(chan struct{})}
	for _, a := range known {
		c.known[a] = uplink.StateAccepted
	}
	return c
}

// asset returns what is kept; mu is held.
func (c *Conductor) asset(id string) *Asset {
	a := c.assets[id]
	if a == nil {
		a = &Asset{Addresses: map[string]uplink.Address{}, Entitlement: map[int64]uint64{}}
		c.assets[id] = a
	}
	return a
}

// changed wakes Await; mu is held.
func (c *Conductor) changed() {
	close(c.change)
	c.change = make(chan struct{})
}

// Set decides about an asset; the server's Recheck is the caller's.
func (c *Conductor) Set(asset string, s uplink.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[asset] = s
}

// Trouble has reports answered with an error; nil ends it.
func (c *Conductor) Trouble(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = err
}

// Await waits until ok says so about an asset, which is its during the call.
func (c *Conductor) Await(ctx context.Context, asset string, ok func(a *Asset) bool) error {
	for {
		c.mu.Lock()
		held, change := ok(c.asset(asset)), c.change
		c.mu.Unlock()
		if held {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Box waits for a box to be connected.
func (c *Conductor) Box(ctx context.Context, asset string) (server.Box, error) {
	for {
		c.mu.Lock()
		b, change := c.boxes[asset], c.change
		c.mu.Unlock()
		if b != nil {
			return b, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Authorize implements server.Conductor.
func (c *Conductor) Authorize(_ context.Context, claim *server.Claim) (server.Decision, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	switch s := c.known[claim.Asset]; {
	case c.keys[claim.Asset] != "" && c.keys[claim.Asset] != claim.Finger:
		return server.Decision{State: uplink.StateDuplicate, Reason: "another key has this asset id"}, nil
	case s == "":
		return server.Decision{State: uplink.StatePending, Reason: "unknown asset"}, nil
	default:
		if s == uplink.StateAccepted {
			c.keys[claim.Asset] = claim.Finger
		}
		return server.Decision{State: s, Reason: "as the test wants"}, nil
	}
}

// Attach implements server.Conductor.
func (c *Conductor) Attach(_ context.Context, b server.Box) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	id := b.Claim().Asset
	if c.boxes[id] != nil {
		return errors.New("attached twice")
	}
	c.boxes[id] = b
	c.asset(id).Attached++
	return nil
}

// Detach implements server.Conductor.
func (c *Conductor) Detach(b server.Box) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	if id := b.Claim().Asset; c.boxes[id] == b {
		delete(c.boxes, id)
	}
}

// Position implements server.Conductor.
func (c *Conductor) Position(_ context.Context, asset string) (uplink.Position, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asset(asset).At, nil
}

// Events implements server.Conductor.
func (c *Conductor) Events(_ context.Context, asset string, e *uplink.Events) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	if c.trouble != nil {
		return c.trouble
	}
	a := c.asset(asset)
	at := a.At
	if e.Epoch != at.Epoch {
		at = uplink.Position{Epoch: e.Epoch}
	}
	var fresh []uplink.Event
	for _, ev := range e.Events {
		if ev.Seq <= at.Seq {
			a.Again++
			continue
		}
		if ev.Seq != at.Seq+1 && ev.Seq != at.Seq+1+e.Lost {
			return fmt.Errorf("event %d after %d, %d lost", ev.Seq, at.Seq, e.Lost)
		}
		if ev.Seq != at.Seq+1 {
			a.Lost += e.Lost
		}
		fresh = append(fresh, ev)
		at.Seq = ev.Seq
	}
	a.Events, a.At = append(a.Events, fresh...), at
	return nil
}

// Addresses implements server.Conductor.
func (c *Conductor) Addresses(_ context.Context, asset string, u *uplink.Addresses) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	if c.trouble != nil {
		return c.trouble
	}
	a := c.asset(asset)
	if u.Full {
		clear(a.Addresses)
	}
	for _, x := range u.Addresses {
		a.Addresses[x.Interface] = x
	}
	a.Updates++
	return nil
}

// Entitlement implements server.Conductor.
func (c *Conductor) Entitlement(_ context.Context, asset string, e *uplink.Entitlement) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	if c.trouble != nil {
		return c.trouble
	}
	for _, s := range e.Samples {
		c.asset(asset).Entitlement[s.Start.Unix()] = s.Peak
	}
	return nil
}

// ConfigState implements server.Conductor.
func (c *Conductor) ConfigState(_ context.Context, asset string, s *uplink.ConfigState) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed()
	if c.trouble != nil {
		return c.trouble
	}
	c.asset(asset).Config = append(c.asset(asset).Config, *s)
	return nil
}

// Salt implements server.Conductor.
func (c *Conductor) Salt(_ context.Context, asset string, port int) (net.Conn, error) {
	if c.SaltDial == nil {
		return nil, errors.New("no Salt master here")
	}
	return c.SaltDial(asset, port)
}

// Key makes an identity.
func Key(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Running is a server that runs.
type Running struct {
	*server.Server
	Addr string
	stop context.CancelFunc
	done chan error
}

// Start serves boxes on an address of this host ("" takes a free port) until
// Stop or the end of the test. Fields of cfg that are not set are filled in.
func Start(t testing.TB, addr string, cfg server.Config) *Running {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if cfg.HostKey == nil {
		cfg.HostKey = Key(t)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l, err := server.Listen(ctx, addr)
	if err != nil {
		stop()
		t.Fatal(err)
	}
	r := &Running{Server: s, Addr: l.Addr().String(), stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { r.Stop(t) })
	return r
}

// Stop ends a server and everything of it. Again it does nothing.
func (r *Running) Stop(t testing.TB) {
	t.Helper()
	r.stop()
	if r.done == nil {
		return
	}
	if err := <-r.done; err != nil {
		t.Errorf("serve: %v", err)
	}
	r.done = nil
}
