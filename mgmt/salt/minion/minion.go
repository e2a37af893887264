// Package minion is a Salt minion: it finds acceptance at a master, obeys its
// signed publications and returns what functions give. Any stock master of 3006.12
// or 3007.4 and newer manages it; older ones only if the identity allows
// protocol 2.
//
// Life: claim until accepted, fetch the pillar (which tells the grains), subscribe,
// tell that we are here, obey. When the subscription ends the master is gone or
// was restarted: claim again before subscribing again.
package minion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/zmtp"
)

// Config is what a minion needs.
type Config struct {
	Identity  *salt.Identity
	Host      string // of the master
	Port      int    // of requests; 0: 4506
	Functions Functions
	Grains    func() msgpack.Map
	Pin       Pin
	// Dial connects to the master; nil is a plain dialer. It decides about TCP
	// keepalive and tunnels.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger
	// OnState is told each change of state; nil for nobody.
	OnState func(State)
	Timing  Timing
}

// Functions runs what a master calls; module.Set is one.
type Functions interface {
	Run(ctx context.Context, m module.Minion, job *salt.Job, n int) salt.Outcome
	Control(name string) bool
}

// Pin keeps the master's key over restarts.
type Pin interface {
	Load() (*crypt.Public, error) // nil: not known yet
	Store(*crypt.Public) error
}

// Timing are the durations of a minion; zero members get those of Defaults.
type Timing struct {
	Request  time.Duration // one request and its reply
	Retry    time.Duration // first pause after a failure; doubles up to RetryMax
	RetryMax time.Duration
	Accept   time.Duration // pause while our key waits for acceptance, grows up to AcceptMax
	// AcceptMax bounds it: an operator who accepts a key waits so long at most.
	AcceptMax time.Duration
	Reauth    time.Duration // least time between two claims that publications cause
}

// Defaults suit a box behind any link.
var Defaults = Timing{
	Request: 60 * time.Second, Retry: time.Second, RetryMax: 5 * time.Minute,
	Accept: 5 * time.Second, AcceptMax: time.Minute, Reauth: 5 * time.Second,
}

func (t Timing) filled() Timing {
	for _, p := range []struct{ have, def *time.Duration }{
		{&t.Request, &Defaults.Request}, {&t.Retry, &Defaults.Retry}, {&t.RetryMax, &Defaults.RetryMax},
		{&t.Accept, &Defaults.Accept}, {&t.AcceptMax, &Defaults.AcceptMax}, {&t.Reauth, &Defaults.Reauth},
	} {
		if *p.have == 0 {
			*p.have = *p.def
		}
	}
	return t
}

// Bounds of what a master may send.
const (
	maxMessage = 16 << 20 // bytes of a publication or reply
	maxReturn  = 8 << 20  // bytes of what functions give
)

// State is where a minion stands.
type State string

// The states.
const (
	Connecting State = "connecting"
	Pending    State = "pending"
	Rejected   State = "rejected"
	Ready      State = "ready" // subscribed, start told
)

// Minion is one minion at one master.
type Minion struct {
	cfg     Config
	id      *salt.Identity
	channel channel
	jobs    jobs
	once    onceLog

	claiming  sync.Mutex // one claim at a time
	lastClaim time.Time  // of those that publications caused; guarded by claiming

	mu      sync.Mutex
	session *salt.Session // nil: not accepted
	master  *crypt.Public // pinned
	grains  msgpack.Map
	pillar  msgpack.Map
	serial  int64 // of the last publication since the last claim
	state   State
}

// New makes a minion that does nothing yet.
func New(cfg Config) (*Minion, error) {
	cfg.Timing = cfg.Timing.filled()
	if cfg.Port == 0 {
		cfg.Port = 4506
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: cfg.Timing.Request}).DialContext
	}
	pinned, err := cfg.Pin.Load()
	if err != nil {
		return nil, fmt.Errorf("load master's key: %w", err)
	}
	m := &Minion{cfg: cfg, id: cfg.Identity, master: pinned, grains: cfg.Grains(), pillar: msgpack.Map{}}
	m.once.log = cfg.Log
	m.channel = channel{dial: m.dialRequests, timeout: cfg.Timing.Request}
	m.jobs.init()
	return m, nil
}

func (m *Minion) dial(ctx context.Context, port int, o zmtp.Options) (*zmtp.Conn, error) {
	c, err := m.cfg.Dial(ctx, "tcp", net.JoinHostPort(m.cfg.Host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("connect to master: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	o.Max, o.Timeout = maxMessage, m.cfg.Timing.Request
	z, err := zmtp.Handshake(c, o)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to master: %w", err)
	}
	return z, nil
}

func (m *Minion) dialRequests(ctx context.Context) (*zmtp.Conn, error) {
	return m.dial(ctx, m.cfg.Port, zmtp.Options{Socket: zmtp.REQ})
}

// Run lives until ctx ends; it then returns nil. Jobs are told to end and are
// waited for.
func (m *Minion) Run(ctx context.Context) error {
	defer m.jobs.stop()
	defer m.channel.close()
	pause := backoff{first: m.cfg.Timing.Retry, max: m.cfg.Timing.RetryMax}
	accept := backoff{first: m.cfg.Timing.Accept, max: m.cfg.Timing.AcceptMax}
	for ctx.Err() == nil {
		m.setState(Connecting)
		wait, err := m.life(ctx, &pause, &accept)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errLost) {
			m.setState(Connecting)
		}
		if err != nil {
			m.once.warn("salt", err.Error(), "master", m.cfg.Host)
		}
		sleep(ctx, wait)
	}
	return nil
}

// life is one connection to the master from claim to loss. It returns how long
// to wait before the next.
func (m *Minion) life(ctx context.Context, pause, accept *backoff) (time.Duration, error) {
	state, err := m.claim(ctx)
	switch {
	case err != nil:
		return pause.next(), err
	case state != salt.Accepted:
		if state == salt.Pending {
			m.setState(Pending)
		} else {
			m.setState(Rejected)
		}
		return accept.next(), fmt.Errorf("key is %v", state)
	}
	accept.reset()
	m.once.reset()
	began := time.Now()
	err = m.serve(ctx)
	if errors.Is(err, errLost) && time.Since(began) > steady {
		pause.reset()
	}
	return pause.next(), err
}

// steady is how long a subscription must have stood for its loss to be news.
const steady = 30 * time.Second

// errLost: a subscription that stood has ended.
var errLost = errors.New("subscription ended")

// serve is life after acceptance.
func (m *Minion) serve(ctx context.Context) error {
	if err := m.RefreshGrains(ctx); err != nil { // a pillar that cannot be made must not make the box unreachable
		m.once.warn("salt", "fetch pillar", "err", err)
	}
	sub, err := m.dial(ctx, m.current().Port, zmtp.Options{Socket: zmtp.SUB, Identity: m.id.ID})
	if err != nil {
		return err
	}
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	if err := sub.Subscribe(""); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	// Who tells the start must already listen: publications are read meanwhile.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go m.tellStart(ctx, time.Now())
	for {
		msg, err := sub.ReadMessage()
		if err != nil {
			return fmt.Errorf("%w: %w", errLost, noEOF(err))
		}
		if payload := m.addressed(msg.Parts); payload != nil {
			m.publication(ctx, payload)
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("closed by master")
	}
	return err
}

// tellStart fires the two events that stock minions fire.
func (m *Minion) tellStart(ctx context.Context, at time.Time) {
	text := fmt.Sprintf("Minion %s started at %s", m.id.ID, at.UTC().Format("Mon Jan _2 15:04:05 2006"))
	for _, tag := range []string{"minion_start", "salt/minion/" + m.id.ID + "/start"} {
		if err := m.Fire(ctx, tag, text); err != nil {
			m.once.warn("salt", "tell start", "err", err)
			return
		}
	}
	if ctx.Err() == nil {
		m.setState(Ready)
	}
}

func (m *Minion) setState(s State) {
	m.mu.Lock()
	changed := m.state != s
	m.state = s
	m.mu.Unlock()
	if changed && m.cfg.OnState != nil {
		m.cfg.OnState(s)
	}
}

func (m *Minion) current() *salt.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

// backoff doubles and spreads pauses, so that boxes that lost one master do not
// come back together.
type backoff struct{ first, max, now time.Duration }

func (b *backoff) reset() { b.now = 0 }

func (b *backoff) next() time.Duration {
	b.now = min(max(b.first, 2*b.now), b.max)
	return b.now/2 + rand.N(b.now/2+1)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// onceLog tells a thing once until reset: a box that cannot reach its master
// must not fill its log.
type onceLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	told map[string]bool
}

// maxTold bounds what is remembered; what comes then is not told.
const maxTold = 64

func (o *onceLog) warn(msg, what string, args ...any) {
	o.mu.Lock()
	new := !o.told[what] && len(o.told) < maxTold
	if new {
		if o.told == nil {
			o.told = map[string]bool{}
		}
		o.told[what] = true
	}
	o.mu.Unlock()
	if new {
		o.log.Warn(msg, append([]any{"what", what}, args...)...)
	}
}

func (o *onceLog) reset() {
	o.mu.Lock()
	o.told = nil
	o.mu.Unlock()
}
