package pppoe

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	crand "crypto/rand"

	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
)

// Options are what a client is told.
type Options struct {
	Ethernet string // Linux interface of the line
	Index    int    // its index
	Port     int    // index of what it lies on: a VLAN device has no larger packets than its port; else Index
	Name     string // of the interface to make
	Config   Config // HostUniq, Random, Magic and InterfaceID may be nil
	File     string // keeps what the next process has to know; empty: nothing is kept
	Log      *slog.Logger
	// Changed is told every new status, from the client's goroutine. It must
	// not wait for the client.
	Changed func(Status)
	// Event is told what happened, likewise, before the status that goes with it.
	Event func(Event)
}

// Status is a client's state at one moment.
type Status struct {
	State   State
	Phase   string   // of PPP; empty without a link
	Session *Session // carries packets; nil: none does. Nobody changes it
	Since   time.Time
	Failure *Problem // nil: none since the last session
}

// Problem is a Failure with the time of the wall.
type Problem struct {
	Attempt int
	Code    int
	Reason  string
	At      time.Time
	Retry   time.Time // zero: nobody knows
}

// Client runs a machine on an Ethernet interface.
type Client struct {
	opt  Options
	m    *Machine
	wire wire

	began time.Time
	poke  chan struct{}
	state State // as told last
	since time.Time

	mu   sync.Mutex // guards what follows: orders of other goroutines
	up   bool
	away bool // was down since the last look
}

// stopLimit is how long a client that stops waits for the other end.
const stopLimit = 1500 * time.Millisecond

// NewClient makes a client whose link is down. Run runs it.
func NewClient(opt Options) *Client { return newClient(opt, newSockets(&opt)) }

func newClient(opt Options, w wire) *Client {
	c := &opt.Config
	if c.HostUniq == nil {
		c.HostUniq = make([]byte, 8)
		crand.Read(c.HostUniq)
	}
	if c.Random == nil {
		c.Random = func(n time.Duration) time.Duration { return rand.N(n) }
	}
	if c.Magic == nil {
		c.Magic = randomMagic
	}
	if c.InterfaceID == nil {
		c.InterfaceID = randomID
	}
	now := time.Now()
	return &Client{opt: opt, m: New(*c), wire: w, began: now, since: now, poke: make(chan struct{}, 1)}
}

func randomMagic() uint32 {
	var b [4]byte
	crand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// randomID has the bit cleared that says "unique in the world" (RFC 5072 4.1).
func randomID() (id ppp.InterfaceID) {
	crand.Read(id[:])
	id[0] &^= 2
	return id
}

// Link tells whether the line carries. Told "up" while it is, it was away in
// between.
func (c *Client) Link(up bool) {
	c.mu.Lock()
	c.away, c.up = c.away || c.up, up
	c.mu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default: // the order before is not read yet: both will be
	}
}

// Run runs the client until ctx ends, then ends its session and removes its
// interface. Sockets are opened by the calling goroutine: a locked thread keeps
// them in its network namespace.
func (c *Client) Run(ctx context.Context) {
	c.begin()
	defer c.finish()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var last <-chan time.Time
	for {
		if d := c.m.Deadline(); d != Never {
			timer.Reset(d - c.now())
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			ctx = context.Background()
			last = time.After(stopLimit)
			c.m.Hangup(c.now())
		case <-last:
			return
		case <-c.poke:
			c.obey()
		case h := <-c.wire.received():
			c.hear(h)
		case <-timer.C:
			c.m.Tick(c.now())
		}
		c.act()
		if last != nil && c.m.State() == Stopped {
			return
		}
	}
}

// begin looks what an earlier process left, and how large frames may be.
func (c *Client) begin() {
	old, err := load(c.opt.File)
	if err != nil {
		c.opt.Log.Warn("cannot use what was kept of PPPoE", "interface", c.opt.Name, "error", err)
	}
	if old.Session != 0 {
		c.m.Remember(Channel{Session: old.Session, AC: old.AC})
	}
	mtu, err := c.wire.prepare(c.m.cfg.MRU, old.MTU)
	if err != nil {
		c.opt.Log.Warn("cannot prepare PPPoE", "interface", c.opt.Name, "error", err)
	}
	c.m.limit(mtu)
	c.keep()
}

func (c *Client) finish() {
	c.wire.close()
	if err := save(c.opt.File, kept{}); err != nil {
		c.opt.Log.Warn("cannot forget the PPPoE session", "interface", c.opt.Name, "error", err)
	}
}

// keep writes down what the next process has to know.
func (c *Client) keep() {
	k := kept{MTU: c.wire.formerMTU()}
	if ch, ok := c.m.Channel(); ok {
		k.Session, k.AC = ch.Session, ch.AC
	}
	if err := save(c.opt.File, k); err != nil {
		c.opt.Log.Warn("cannot keep the PPPoE session", "interface", c.opt.Name, "error", err)
	}
}

// now is the machine's clock: it does not jump with the wall clock.
func (c *Client) now() time.Duration { return time.Since(c.began) }

// obey brings the orders to the machine.
func (c *Client) obey() {
	c.mu.Lock()
	up, away := c.up, c.away
	c.away = false
	c.mu.Unlock()
	if c.m.State() == Closing {
		return
	}
	if !up || away {
		c.m.LinkDown(c.now())
	}
	c.act() // before the link counts as up again
	if up {
		c.m.LinkUp(c.now())
	}
}

func (c *Client) hear(h heard) {
	switch h.kind {
	case heardDiscovery:
		c.m.Discovery(c.now(), h.data)
	case heardPPP:
		c.m.Frame(c.now(), h.data)
	case heardEnd:
		c.m.Gone(c.now())
	}
}

// act does what the machine wants, until it wants nothing more.
func (c *Client) act() {
	for {
		o := c.m.Take()
		if len(o.Actions) == 0 && len(o.Events) == 0 && !o.Changed {
			return
		}
		for _, a := range o.Actions {
			c.do(a)
		}
		c.report(o)
	}
}

func (c *Client) do(a Action) {
	var err error
	switch a.Act {
	case SendDiscovery:
		err = c.wire.discover(a.Frame)
	case SendPPP:
		err = c.wire.write(a.Frame)
	case OpenChannel:
		if err := c.wire.open(a.Channel); err != nil {
			c.m.OpenFailed(c.now(), err.Error())
			return
		}
		c.m.Opened(c.now())
		c.keep()
	case CloseChannel:
		c.wire.hangup()
		c.keep()
	case Carry:
		err = c.wire.carry(a)
	}
	if err != nil {
		c.opt.Log.Warn("PPPoE action failed", "interface", c.opt.Name, "error", err)
	}
}

func (c *Client) report(o Output) {
	for _, e := range o.Events {
		c.opt.Log.Info("pppoe", "interface", c.opt.Name, "event", e.Kind.String(), "address", e.Address, "reason", e.Reason)
		if c.opt.Event != nil {
			c.opt.Event(e)
		}
	}
	if o.Changed && c.opt.Changed != nil {
		c.opt.Changed(c.status())
	}
}

func (c *Client) status() Status {
	now := time.Now()
	if s := c.m.State(); s != c.state {
		c.state, c.since = s, now
	}
	s := Status{State: c.state, Since: c.since, Session: c.m.Session()}
	if c.m.link != nil {
		s.Phase = c.m.link.Phase().String()
	}
	wall := func(t time.Duration) time.Time {
		if t == Never {
			return time.Time{}
		}
		return now.Add(t - c.now())
	}
	if f := c.m.Failure(); f.Attempt > 0 && s.Session == nil {
		s.Failure = &Problem{f.Attempt, f.Code, f.Reason, wall(f.At), wall(f.Retry)}
	}
	return s
}

// limit makes do with what the line can carry: bytes of an IP packet, 0: unknown.
func (m *Machine) limit(mtu int) {
	if mtu == 0 {
		mtu = disc.Payload
	}
	m.cfg.MRU = uint16(min(int(m.cfg.MRU), mtu))
}
