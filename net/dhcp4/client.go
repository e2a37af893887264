package dhcp4

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"time"

	crand "crypto/rand"

	"waymark/net/keep"
)

// Options are what a client is told.
type Options struct {
	Interface string // Linux interface
	Index     int
	VLAN      uint16 // tag of the frames, which the client sets and takes off by itself; 0: none
	Config    Config // Random and XID may be nil
	File      string // keeps the lease over restarts; empty: nothing is kept
	// InUse tells whether an address is on the interface because an earlier
	// process put it there: that lease goes on without a break. Nil: none is.
	InUse func(netip.Prefix) bool
	Log   *slog.Logger
	// Changed is told every new status, from the client's goroutine. It must
	// not wait for the client.
	Changed func(Status)
	// Event is told what happened, likewise.
	Event func(Event)
	// Count is told of every DHCP message that was sent or heard, in bytes of IP;
	// nil: nobody counts.
	Count func(bytes int)
}

// Status is a client's state at one moment.
type Status struct {
	State State
	Lease *Lease    // in use; nil: none. Nobody changes it
	Start time.Time // of the lease
	Since time.Time // of the state
}

// At returns an instant of the lease, so many seconds behind its start; zero
// for one that never comes.
func (s *Status) At(seconds uint32) time.Time {
	if s.Lease == nil || seconds == Infinite {
		return time.Time{}
	}
	return s.Start.Add(term(seconds))
}

// Client runs a machine on a Linux interface.
type Client struct {
	opt  Options
	m    *Machine
	wire wire

	began time.Time
	poke  chan struct{}

	mu      sync.Mutex // guards what follows: orders of other goroutines
	up      bool
	away    bool // was down since the last look
	release bool
}

// NewClient makes a client whose link is down, and reads the lease of an
// earlier process. Run runs it.
func NewClient(opt Options) *Client {
	if opt.Config.Random == nil {
		opt.Config.Random = randomPause
	}
	if opt.Config.XID == nil {
		opt.Config.XID = randomXID
	}
	c := &Client{opt: opt, m: New(opt.Config), wire: newSockets(opt.Interface, opt.Index, opt.VLAN, opt.Config.MAC),
		began: time.Now(), poke: make(chan struct{}, 1)}
	c.recall()
	return c
}

// Initial returns the status of a client that does not run yet.
func (c *Client) Initial() Status { return c.status(c.m.Lease()) }

func randomPause(n time.Duration) time.Duration { return rand.N(n) }

func randomXID() uint32 {
	var b [4]byte
	crand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// Link tells whether the link carries. Told "up" while it is, it was away in
// between.
func (c *Client) Link(up bool) {
	c.order(func() { c.away, c.up = c.away || c.up, up })
}

// Release gives the lease back; the client rests until Link tells "up".
func (c *Client) Release() {
	c.order(func() { c.release, c.up = true, false })
}

func (c *Client) order(change func()) {
	c.mu.Lock()
	change()
	c.mu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default: // the order before is not read yet: both will be
	}
}

// Run runs the client until ctx ends; the lease is kept, not released. Sockets
// are opened by the calling goroutine: a locked thread keeps them in its
// network namespace.
func (c *Client) Run(ctx context.Context) {
	defer c.wire.close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if d := c.m.Deadline(); d != Never {
			timer.Reset(d - c.now())
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-c.poke:
			c.obey()
		case h := <-c.wire.received():
			c.count(h.datagram, h.data)
			if h.datagram {
				c.m.Datagram(c.now(), h.data)
			} else {
				c.m.Frame(c.now(), h.data)
			}
		case <-timer.C:
			c.m.Tick(c.now())
		}
		c.act()
	}
}

// count tells of a message: a datagram's payload, or a frame, which may be ARP.
func (c *Client) count(datagram bool, b []byte) {
	const ether, headers = 14, 28
	switch {
	case c.opt.Count == nil:
	case datagram:
		c.opt.Count(len(b) + headers)
	case len(b) > ether && b[12] == 0x08 && b[13] == 0x00:
		c.opt.Count(len(b) - ether)
	}
}

// now is the machine's clock: it does not jump with the wall clock.
func (c *Client) now() time.Duration { return time.Since(c.began) }

// obey brings the orders to the machine.
func (c *Client) obey() {
	c.mu.Lock()
	up, away, release := c.up, c.away, c.release
	c.away, c.release = false, false
	c.mu.Unlock()
	if release {
		c.m.Release(c.now())
	}
	if !up || away {
		c.m.LinkDown(c.now())
	}
	c.act() // before the link counts as up again
	if up {
		c.m.LinkUp(c.now())
	}
}

// recall reads the lease of an earlier process.
func (c *Client) recall() {
	if c.opt.File == "" {
		return
	}
	l, age, known, err := load(c.opt.File, &c.opt.Config, keep.Now())
	if err != nil {
		c.opt.Log.Warn("cannot use the lease kept", "interface", c.opt.Interface, "error", err)
	}
	switch {
	case l == nil:
	case known && c.opt.InUse != nil && c.opt.InUse(l.Address):
		c.m.Resume(l, -age)
	default:
		c.m.Remember(l, -age, known)
	}
}

// act does what the machine wants.
func (c *Client) act() {
	o := c.m.Take()
	lease, start := c.m.Lease()
	if err := c.wire.listen(c.hearing(lease)); err != nil {
		c.opt.Log.Warn("cannot listen for DHCP", "interface", c.opt.Interface, "error", err)
	}
	for _, f := range o.Frames {
		c.count(false, f)
		if err := c.wire.send(f); err != nil {
			c.opt.Log.Debug("cannot send frame", "interface", c.opt.Interface, "error", err)
		}
	}
	for _, d := range o.Datagrams {
		c.count(true, d.Payload)
		if err := c.wire.sendTo(d); err != nil {
			c.opt.Log.Warn("cannot send to DHCP server", "interface", c.opt.Interface, "server", d.To, "error", err)
		}
	}
	for _, e := range o.Events {
		c.keep(e.Kind, lease, start)
		c.opt.Log.Info("dhcp", "interface", c.opt.Interface, "event", e.Kind.String(), "address", e.Address, "server", e.Server)
		if c.opt.Event != nil {
			c.opt.Event(e)
		}
	}
	if o.Changed && c.opt.Changed != nil {
		c.opt.Changed(c.status(lease, start))
	}
}

// hearing is what the present state needs to hear.
func (c *Client) hearing(lease *Lease) (hearing, netip.Addr) {
	switch c.m.State() {
	case Down, Released:
		return deaf, netip.Addr{}
	case Bound:
		return hearARP, lease.Address.Addr()
	case Renewing, Rebinding:
		return hearBoth, lease.Address.Addr()
	}
	return hearAll, netip.Addr{}
}

func (c *Client) status(lease *Lease, start time.Duration) Status {
	now := time.Now()
	s := Status{State: c.m.State(), Lease: lease, Since: now}
	if lease != nil {
		s.Start = now.Add(start - c.now())
	}
	return s
}

// keep writes the lease to its file, or removes it.
func (c *Client) keep(k EventKind, lease *Lease, start time.Duration) {
	if c.opt.File == "" || k == NoServer {
		return
	}
	var err error
	if lease != nil {
		err = save(c.opt.File, &c.opt.Config, lease, c.now()-start, keep.Now())
	} else if err = os.Remove(c.opt.File); os.IsNotExist(err) {
		err = nil
	}
	if err != nil {
		c.opt.Log.Warn("cannot keep the lease", "interface", c.opt.Interface, "error", fmt.Errorf("keep lease: %w", err))
	}
}
