package conductor_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
)

// simulated is a box: a real uplink, a real minion inside it, and a device that
// only remembers.
type simulated struct {
	id     string
	key    ssh.Signer
	salt   *crypt.Private
	client *client.Client
	out    *reports
	dials  *dials
	quick  client.Timing
	dialer func(ctx context.Context, address string) (net.Conn, error)

	mu      sync.Mutex // guards the rest
	boot    string     // what it calls its boot
	running string     // digest
	configs int        // how many it was sent
	router  string
	book    map[string]netip.Addr // by router
	state   uplink.State
	up      bool
	minion  minion.State
}

// dials counts attempts to connect.
type dials struct {
	mu  sync.Mutex // guards all
	all []time.Time
}

func (d *dials) dial(ctx context.Context, address string) (net.Conn, error) {
	d.mu.Lock()
	d.all = append(d.all, time.Now())
	d.mu.Unlock()
	return client.Dialer().DialContext(ctx, "tcp", address)
}

// busiest is the most attempts within any second since a time.
func (d *dials) busiest(since time.Time) (most, total int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var seen []time.Time
	for _, x := range d.all {
		if x.Before(since) {
			continue
		}
		seen = append(seen, x)
		for x.Sub(seen[0]) >= time.Second {
			seen = seen[1:]
		}
		most, total = max(most, len(seen)), total+1
	}
	return most, total
}

// newBox makes a box with its keys.
func newBox(t *testing.T, id string, d *dials) *simulated {
	t.Helper()
	return &simulated{dialer: d.dial, id: id, key: newSigner(t), salt: saltKey(t), dials: d, book: map[string]netip.Addr{},
		out: &reports{wake: make(chan struct{}, 1), kept: map[string]bool{}}}
}

// saltKeys are handed out in turn. A master knows its minions by id, and an RSA
// key takes longer to make than all that a box does here: neighbours differ.
var saltKeys struct {
	sync.Mutex
	made [16]*crypt.Private
	next int
}

func saltKey(t *testing.T) *crypt.Private {
	t.Helper()
	saltKeys.Lock()
	defer saltKeys.Unlock()
	k := &saltKeys.made[saltKeys.next%len(saltKeys.made)]
	saltKeys.next++
	if *k == nil {
		var err error
		if *k, err = crypt.Generate(2048); err != nil {
			t.Fatal(err)
		}
	}
	return *k
}

var silent = slog.New(slog.DiscardHandler)

// run connects to a conductor until ctx ends.
func (b *simulated) run(ctx context.Context, t *testing.T, host string) {
	b.client = client.New(client.Config{
		Asset: b.id, Key: b.key, Host: host, HostKey: func(string, ssh.PublicKey) error { return nil },
		Dial: b.dialer, Timing: b.quick, Device: b, Outbox: b.out, Keepalive: func() time.Duration { return 5 * time.Second }, Log: silent,
		OnState: func(s client.Status) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.state, b.up = s.State, s.Connected
		},
	})
	who, err := salt.NewIdentity(b.id, b.salt, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m, err := minion.New(minion.Config{
		Identity: who, Host: "conductor", Functions: module.New(&module.Box{}), Log: silent, Pin: &pin{}, Dial: b.dialSalt,
		Grains:  func() msgpack.Map { return msgpack.KV("id", b.id) },
		OnState: func(s minion.State) { b.mu.Lock(); b.minion = s; b.mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() { b.client.Run(ctx) })
	both.Go(func() { m.Run(ctx) })
	both.Wait()
}

// dialSalt opens a stream in the uplink, as the agent does.
func (b *simulated) dialSalt(ctx context.Context, _, address string) (net.Conn, error) {
	port := 4505
	if strings.HasSuffix(address, ":4506") {
		port = 4506
	}
	return b.client.Salt(ctx, port)
}

// pin is a master's key in memory.
type pin struct{ key *crypt.Public }

func (p *pin) Load() (*crypt.Public, error)   { return p.key, nil }
func (p *pin) Store(k *crypt.Public) error    { p.key = k; return nil }
func (b *simulated) do(what func(*simulated)) { b.mu.Lock(); defer b.mu.Unlock(); what(b) }

func (b *simulated) Facts() uplink.Facts {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := uplink.Facts{Software: "1.0", Boot: b.boot, SaltKey: crypt.Fingerprint(b.salt.Public.PEM(), "sha256"), Config: b.running, Router: b.router}
	if b.router != "" {
		f.Node = "node1"
	}
	return f
}

// Config runs any configuration at once.
func (b *simulated) Config(_ context.Context, c *uplink.Config) *uplink.ConfigState {
	data, err := uplink.Unpack(c.Packed)
	if err != nil {
		return &uplink.ConfigState{Status: uplink.ConfigInvalid, Error: err.Error()}
	}
	sum, err := uplink.Digest(data)
	if err != nil {
		return &uplink.ConfigState{Status: uplink.ConfigInvalid, Error: err.Error()}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running, b.router = sum, c.Router
	b.configs++
	return &uplink.ConfigState{Status: uplink.ConfigInSync, Running: sum, Sent: sum, Router: c.Router, Node: c.Node}
}

func (b *simulated) Book(_ context.Context, k *uplink.Book) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k.Full {
		clear(b.book)
	}
	for _, e := range k.Entries {
		b.book[e.Router] = e.Address
	}
	return nil
}

// Shell writes who came and what they typed.
func (b *simulated) Shell(_ context.Context, s uplink.Shell, stream io.ReadWriteCloser, _ <-chan uplink.Size) {
	defer stream.Close()
	fmt.Fprintf(stream, "%s on %s\r\n", s.Level, b.id)
	buf := make([]byte, 64)
	n, _ := stream.Read(buf)
	fmt.Fprintf(stream, "typed %s\r\n", strings.TrimSpace(string(buf[:n])))
}

func (b *simulated) Logs() ([]uplink.Log, error) { return nil, nil }
func (b *simulated) OpenLog(string) (client.LogFile, uplink.Log, error) {
	return nil, uplink.Log{}, errors.New("no such log")
}

// reports are what a box has to tell, one conductor after the other.
type reports struct {
	mu     sync.Mutex // guards the rest
	events []uplink.Event
	acked  uint64 // of events
	other  []uplink.Message
	now    uplink.Message
	kept   map[string]bool
	wake   chan struct{}
}

const epoch = "0123456789abcdef0123456789abcdef"

func (r *reports) add(events []uplink.Event, other ...uplink.Message) {
	r.mu.Lock()
	r.events, r.other = append(r.events, events...), append(r.other, other...)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reports) Resume(p uplink.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.acked = nil, 0
	if p.Epoch == epoch {
		r.acked = p.Seq
	}
}

func (r *reports) Next(ctx context.Context) (uplink.Message, error) {
	for {
		if m := r.take(); m != nil {
			return m, nil
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *reports) take() uplink.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.now != nil:
	case len(r.other) > 0:
		r.now = r.other[0]
	case r.acked < uint64(len(r.events)):
		rest := r.events[r.acked:]
		r.now = &uplink.Events{Epoch: epoch, Events: rest[:min(len(rest), 50)]}
	}
	return r.now
}

func (r *reports) Settle(no *uplink.Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if no != nil && !no.Final {
		return
	}
	if e, ok := r.now.(*uplink.Events); ok {
		r.acked = e.Events[len(e.Events)-1].Seq
	} else if len(r.other) > 0 {
		r.other = r.other[1:]
	}
	r.now = nil
}

func (r *reports) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.other) == 0 && r.acked == uint64(len(r.events))
}
