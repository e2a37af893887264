package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/door"
	"waymark/mgmt/uplink"
)

// Limits of a server; zero fields take the default.
type Limits struct {
	// Connections are all there are; 4,096.
	Connections int
	// Strangers are connections that have not greeted yet; 256. When there are
	// more, the oldest gives way: a flood of them cannot keep out who comes now.
	Strangers int
	// Pending are boxes that wait for an operator; 1,024. More are told to come
	// back later.
	Pending int
	// Greeting is how long a stranger may take to prove its key and greet; 15 s.
	Greeting time.Duration
	// Stall is how long a box may take nothing of what it is sent; 60 s.
	Stall time.Duration
	// Answer is how long a box may take to answer a request; 60 s.
	Answer time.Duration
	// Streams are Salt streams of one box at once; 8.
	Streams int
}

func (l *Limits) defaults() {
	for _, d := range []struct {
		v    *int
		auto int
	}{{&l.Connections, 4096}, {&l.Strangers, 256}, {&l.Pending, 1024}, {&l.Streams, 8}} {
		if *d.v == 0 {
			*d.v = d.auto
		}
	}
	for _, d := range []struct {
		v    *time.Duration
		auto time.Duration
	}{{&l.Greeting, 15 * time.Second}, {&l.Stall, time.Minute}, {&l.Answer, time.Minute}} {
		if *d.v == 0 {
			*d.v = d.auto
		}
	}
}

// Config of a server.
type Config struct {
	HostKey   ssh.Signer // ed25519; boxes pin it
	Name      string     // what boxes show this conductor as
	Conductor Conductor
	Limits    Limits
	Log       *slog.Logger // nil: slog.Default()
}

// Server serves boxes. It has no state but its connections.
type Server struct {
	cfg     Config
	ssh     *ssh.ServerConfig
	refused *door.Refused

	mu      sync.Mutex       // guards the rest
	links   map[string]*link // accepted boxes by asset
	waiting map[*link]bool   // boxes that are pending
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	if cfg.HostKey == nil || cfg.HostKey.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return nil, errors.New("make uplink server: it needs an ed25519 host key")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.Limits.defaults()
	s := &Server{cfg: cfg, refused: door.NewRefused("uplink", cfg.Log), links: map[string]*link{}, waiting: map[*link]bool{}}
	s.ssh = &ssh.ServerConfig{
		Config: uplink.Algorithms(), PublicKeyAuthAlgorithms: []string{ssh.KeyAlgoED25519}, MaxAuthTries: 2,
		ServerVersion: uplink.Banner, PublicKeyCallback: permit,
	}
	s.ssh.AddHostKey(cfg.HostKey)
	return s, nil
}

// permKey is where the key that was proven is kept.
const permKey = "waymark-key"

// permit lets every ed25519 key prove itself: who it is, the Conductor decides.
func permit(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if key.Type() != ssh.KeyAlgoED25519 {
		return nil, fmt.Errorf("key type %s", key.Type())
	}
	if !uplink.ValidAsset(c.User()) {
		return nil, errors.New("asset id is none")
	}
	return &ssh.Permissions{Extensions: map[string]string{permKey: string(key.Marshal())}}, nil
}

// Serve accepts boxes until ctx ends, then closes all connections and waits
// for them. The listener should not keep TCP alive by itself (Listen does not).
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-every.C:
				s.refused.Summary()
			case <-done:
				return
			}
		}
	}()
	d := door.Door{Name: "boxes", Conns: s.cfg.Limits.Connections, Half: s.cfg.Limits.Strangers, Refused: s.refused, Serve: s.serve}
	return d.Run(ctx, l)
}

// Listen listens for boxes. TCP's keepalive is off: boxes ask whether we live
// when they can afford it, and what comes never is found by that.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	return lc.Listen(ctx, "tcp", addr)
}

// Recheck has Authorize decide anew about what is connected as an asset.
func (s *Server) Recheck(asset string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[asset]; l != nil {
		l.recheck()
	}
	for l := range s.waiting {
		if l.claim.Asset == asset {
			l.recheck()
		}
	}
}

// Box returns the box that is connected as an asset, or nil.
func (s *Server) Box(asset string) Box {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[asset]; l != nil {
		return l
	}
	return nil
}

// Refused counts refusals by kind since the start.
func (s *Server) Refused() map[string]int { return s.refused.Counts() }

// serve is one connection, from the first byte to the last.
func (s *Server) serve(ctx context.Context, raw net.Conn, greeted func()) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &link{server: s, remote: raw.RemoteAddr(), conn: uplink.NewConn(raw, s.cfg.Limits.Stall),
		gone: make(chan struct{}), done: make(chan struct{}), again: make(chan struct{}, 1), answers: make(chan uplink.Frame, 1)}
	defer close(l.done)
	_ = l.conn.SetDeadline(time.Now().Add(s.cfg.Limits.Greeting)) // fails with the connection
	if err := l.handshake(); err != nil {
		s.refused.Note("handshake", door.Host(raw), err)
		return
	}
	defer context.AfterFunc(ctx, func() { l.ssh.Close() })()
	defer l.ssh.Close()
	go func() {
		_ = l.ssh.Wait() // whatever ended it
		close(l.gone)
		cancel()
	}()
	if err := l.greet(ctx); err != nil {
		s.refused.Note("greeting", door.Host(raw), err)
		return
	}
	greeted()
	ok, err := l.admit(ctx)
	if err != nil && ctx.Err() == nil {
		s.refused.Note("box", door.Host(raw), fmt.Errorf("%s: %w", l.claim.Asset, err)) // strangers choose ids: they are no kind
	}
	if !ok {
		return
	}
	var streams sync.WaitGroup
	defer s.detach(l, &streams)
	if err := s.attach(ctx, l); err != nil {
		l.farewell(uplink.StateBusy, err.Error(), 0)
		return
	}
	l.live(ctx, &streams)
}

// attach makes l the connection of its asset. An older one, which the box has
// given up, ends first.
func (s *Server) attach(ctx context.Context, l *link) error {
	for {
		s.mu.Lock()
		old := s.links[l.claim.Asset]
		if old == nil {
			s.links[l.claim.Asset] = l
			s.mu.Unlock()
			break
		}
		s.mu.Unlock()
		old.ssh.Close()
		select {
		case <-old.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := s.cfg.Conductor.Attach(ctx, l); err != nil {
		return fmt.Errorf("attach box: %w", err)
	}
	l.attached = true
	return nil
}

// detach undoes attach, once everything of the connection has ended.
func (s *Server) detach(l *link, streams *sync.WaitGroup) {
	l.ssh.Close()
	streams.Wait()
	if l.attached {
		s.cfg.Conductor.Detach(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[l.claim.Asset] == l {
		delete(s.links, l.claim.Asset)
	}
}
