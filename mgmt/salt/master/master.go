// Package master is the master's side of Salt for our conductor: it keeps keys,
// answers requests, publishes jobs and takes returns and events. Stock minions
// of 3006.12 and 3007.4 and newer can be managed too.
//
// Whoever reaches its ports costs a bounded amount: connections, half-open ones,
// bytes before a key proved itself, queued publications. What is refused is told
// once for each kind and address, then counted.
package master

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"waymark/mgmt/door"
	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// Config is what a master needs.
type Config struct {
	Key   *crypt.Private
	Keys  Keys
	Alg   salt.Algorithms // of publications; zero is SHA1
	Files FileServer      // nil serves nothing
	// Pillar is what one minion may know. It is asked with the id whose key
	// opened the request, never with one that the request names, and with the
	// address it comes from.
	Pillar   func(ctx context.Context, id, from string, grains msgpack.Map) (msgpack.Map, error)
	OnReturn func(Return)
	OnEvent  func(Event)
	Log      *slog.Logger
	Limits   Limits
	// PublishPort is told to minions; 0 is the port of the listener.
	PublishPort int
	// MaxAge refuses requests with an older time, 0 none: boxes without a clock
	// start in 1970.
	MaxAge time.Duration
}

// Limits bound what strangers and minions may take. Zero members get those of
// DefaultLimits.
type Limits struct {
	Conns     int           // of each port
	HalfOpen  int           // of each port, before a key is proved; the oldest gives way
	Handshake time.Duration // until the handshake must be done
	Idle      time.Duration // of a connection for requests
	Stranger  int           // bytes of a request before its connection proved a key
	Message   int           // bytes of a request after that
	Large     int           // requests above Stranger that are read at once
	Claims    int           // claims that are worked on at once: each costs RSA
	Pending   int           // keys that wait for an operator
	Queue     int           // publications that wait for one subscriber
	Piece     int           // bytes of a file that one request gets
}

// DefaultLimits serve 2,000 boxes.
var DefaultLimits = Limits{
	Conns: 4096, HalfOpen: 512, Handshake: 10 * time.Second, Idle: 15 * time.Minute, Stranger: 16 << 10,
	Message: 8 << 20, Large: 16, Claims: 8, Pending: 1024, Queue: 64, Piece: 1 << 20,
}

func (l Limits) filled() Limits {
	d := DefaultLimits
	for _, p := range []struct{ have, def *int }{
		{&l.Conns, &d.Conns}, {&l.HalfOpen, &d.HalfOpen}, {&l.Stranger, &d.Stranger}, {&l.Message, &d.Message},
		{&l.Large, &d.Large}, {&l.Claims, &d.Claims}, {&l.Pending, &d.Pending}, {&l.Queue, &d.Queue}, {&l.Piece, &d.Piece},
	} {
		if *p.have == 0 {
			*p.have = *p.def
		}
	}
	if l.Handshake == 0 {
		l.Handshake = d.Handshake
	}
	if l.Idle == 0 {
		l.Idle = d.Idle
	}
	return l
}

// keyLife is how long keys of publications and sessions live.
const keyLife = 24 * time.Hour

// Return is the outcome of a job at one minion.
type Return struct {
	ID, JID string
	Load    msgpack.Map // return, retcode, success, fun, fun_args, …
}

// Event is what a minion fired.
type Event struct {
	ID, Tag string
	Data    any
}

// Master is one master.
type Master struct {
	cfg       Config
	authority salt.Authority
	refused   *door.Refused
	subs      subscribers
	large     chan struct{}
	claims    chan struct{}
	port      atomic.Int32
	now       func() time.Time // time.Now except in tests

	mu       sync.Mutex
	publish  *salt.PublishKey
	made     time.Time // when publish was
	sessions map[string]session
	serial   int64
	lastJID  int64
	minions  map[string]msgpack.Map // grains of those that asked for their pillar
	proven   map[string]time.Time   // address to when a minion last proved its key from there
}

// session is the key that one minion's requests are sealed with.
type session struct {
	key  *crypt.Crypticle
	made time.Time
}

// New makes a master that does not listen yet.
func New(cfg Config) (*Master, error) {
	cfg.Limits = cfg.Limits.filled()
	if cfg.Alg == (salt.Algorithms{}) {
		cfg.Alg = salt.SHA1
	}
	m := &Master{
		cfg: cfg, refused: door.NewRefused("salt master", cfg.Log), authority: salt.Authority{Key: cfg.Key, Random: rand.Reader},
		large: make(chan struct{}, cfg.Limits.Large), claims: make(chan struct{}, cfg.Limits.Claims),
		now: time.Now, sessions: map[string]session{}, minions: map[string]msgpack.Map{}, proven: map[string]time.Time{},
	}
	m.port.Store(int32(cfg.PublishPort))
	return m, m.rotate(time.Now())
}

// rotate makes a new key of publications. Minions find out by the next one, and
// claim again.
func (m *Master) rotate(now time.Time) error {
	p, err := m.authority.NewPublishKey(crypt.NewKeyText())
	if err != nil {
		return fmt.Errorf("make publish key: %w", err)
	}
	m.mu.Lock()
	m.publish, m.made = p, now
	m.mu.Unlock()
	return nil
}

// Serve answers on both listeners until ctx ends, and closes them.
func (m *Master) Serve(ctx context.Context, requests, publications net.Listener) error {
	if m.cfg.PublishPort == 0 {
		m.port.Store(int32(publications.Addr().(*net.TCPAddr).Port))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() { m.keepKeys(ctx) })
	errs := make(chan error, 2)
	open := func(name string, l net.Listener, serve func(context.Context, net.Conn, func())) {
		d := &door.Door{Name: name, Conns: m.cfg.Limits.Conns, Half: m.cfg.Limits.HalfOpen, Refused: m.refused, Serve: serve}
		done.Go(func() {
			errs <- d.Run(ctx, l)
			cancel() // one port without the other is no master
		})
	}
	open("requests", requests, m.serveRequests)
	open("publications", publications, m.serveSubscriber)
	done.Wait()
	return <-errs
}

// keepKeys rotates and tells what was refused since the last time.
func (m *Master) keepKeys(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			m.refused.Summary()
			m.forgetAddresses(now)
			m.mu.Lock()
			old := now.Sub(m.made) > keyLife
			m.mu.Unlock()
			if old {
				if err := m.rotate(now); err != nil {
					m.cfg.Log.Error("salt master: " + err.Error())
				}
			}
		}
	}
}

// Fingerprint of the master's key, for Identity.Finger of minions.
func (m *Master) Fingerprint() string { return crypt.Fingerprint(m.cfg.Key.Public.PEM(), "sha256") }

// Grains are those that a minion told last; nil if none.
func (m *Master) Grains(id string) msgpack.Map {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.minions[id]
}

// Refused counts refusals by kind since the start.
func (m *Master) Refused() map[string]int { return m.refused.Counts() }
