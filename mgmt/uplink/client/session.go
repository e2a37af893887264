package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/meter"
)

// session is one connection.
type session struct {
	c       *Client
	conn    *uplink.Conn
	ssh     ssh.Conn
	chans   <-chan ssh.NewChannel
	gone    <-chan struct{} // closed when ssh has ended
	control ssh.Channel
	shares  *meter.Shares
	key     string // fingerprint of the host key
	welcome uplink.Welcome

	last       atomic.Int64 // when the conductor was heard, nanoseconds since began
	began      time.Time
	keepalives atomic.Uint64
	reports    atomic.Uint64

	accepted atomic.Bool
	ctx      context.Context // of the connection, for streams

	once  sync.Once
	cause error // why it ended; set before ssh closes
}

// retry is when the conductor wants to see the box again; 0: it did not say.
func (s *session) retry() time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(s.welcome.Retry) * time.Second
}

// end closes the connection for a reason; the first one counts.
func (s *session) end(cause error) {
	s.once.Do(func() {
		s.cause = cause
		s.shares.Read() // the last time that the kernel tells
		s.conn.Close()  // at once: what is on its way is lost, and comes again
	})
}

// connect dials and greets.
func (c *Client) connect(ctx context.Context, probe bool) (*session, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c.trying(end)
	defer c.trying(nil)
	s, err := c.shake(ctx, probe)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrMoved) {
		err = fmt.Errorf("connect: %w", cause)
	}
	return s, err
}

// shake is connect, until ctx ends.
func (c *Client) shake(ctx context.Context, probe bool) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timing.Connect)
	defer cancel()
	raw, err := c.cfg.Dial(ctx, address(c.cfg.Host))
	if err != nil {
		return nil, fmt.Errorf("dial conductor: %w", err)
	}
	s := &session{c: c, conn: uplink.NewConn(raw, c.cfg.Timing.Stall), began: time.Now(), shares: meter.New(raw).Share()}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		s.abandon()
	})
	err = s.greet(probe)
	if !stop() { // it is closed under us
		<-closed
		return nil, fmt.Errorf("greet conductor: %w", errors.Join(ctx.Err(), err))
	}
	if err != nil {
		s.abandon()
		return nil, err
	}
	s.conn.Rolling(silence)
	return s, nil
}

// abandon ends an attempt, which has its price too.
func (s *session) abandon() {
	spent := s.traffic()
	s.conn.Close()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.past.add(spent)
}

// silence bounds reads; keepalives find a dead conductor sooner.
const silence = 2 * uplink.MaxKeepalive * time.Second

// address adds the port to a host that has none.
func address(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, fmt.Sprint(uplink.Port))
}

// greet shakes hands, says who we are and reads what the conductor thinks.
func (s *session) greet(probe bool) error {
	cfg := &s.c.cfg
	conn, chans, reqs, err := ssh.NewClientConn(s.conn, cfg.Host, &ssh.ClientConfig{
		Config: uplink.Algorithms(), User: cfg.Asset, Auth: []ssh.AuthMethod{ssh.PublicKeys(cfg.Key)},
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, ClientVersion: uplink.Banner,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			s.key = ssh.FingerprintSHA256(key)
			return cfg.HostKey(cfg.Host, key)
		},
	})
	if err != nil {
		return fmt.Errorf("shake hands with conductor: %w", err)
	}
	s.ssh, s.chans, s.gone = conn, chans, uplink.Gone(conn)
	go ssh.DiscardRequests(reqs)
	ch, more, err := uplink.Open(conn, s.gone, uplink.ChannelControl, nil)
	if err != nil {
		return fmt.Errorf("greet conductor: %w", err)
	}
	go ssh.DiscardRequests(more)
	s.control = ch
	hello := &uplink.Hello{Version: uplink.Version, Probe: probe, Keepalive: int(s.c.keepalive() / time.Second), Facts: cfg.Device.Facts()}
	if err := uplink.WriteFrame(ch, hello, uplink.MaxHello); err != nil {
		return fmt.Errorf("greet conductor: %w", err)
	}
	f, err := uplink.ReadFrame(ch, uplink.MaxFrame)
	if err == nil {
		err = f.Into(&s.welcome)
	}
	if err == nil && s.welcome.Version != uplink.Version {
		err = ErrVersion
	}
	if err != nil {
		return fmt.Errorf("greet conductor: %w", err)
	}
	return nil
}

// keepalive is the longest silence, within the protocol's bounds.
func (c *Client) keepalive() time.Duration {
	return min(max(c.cfg.Keepalive(), uplink.MinKeepalive*time.Second), uplink.MaxKeepalive*time.Second)
}

func (s *session) traffic() Traffic {
	sent, received := s.conn.Bytes()
	by := s.shares.Read()
	salt, rest := by[shareSalt], by[shareRest]
	return Traffic{Packets: salt.Packets + rest.Packets, Bytes: salt.Bytes + rest.Bytes, SaltPackets: salt.Packets, SaltBytes: salt.Bytes,
		Sent: sent, Received: received, Connects: 1, Keepalives: s.keepalives.Load(), Reports: s.reports.Load()}
}

// Who shares the cost of a connection.
const (
	shareSalt = "salt"
	shareRest = ""
)

// heard notes that the conductor lives.
func (s *session) heard() {
	s.last.Store(int64(time.Since(s.began)))
	s.shares.Received(shareRest)
}

// run lives until the connection ends, and tells why.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.ctx = ctx
	s.c.mu.Lock()
	s.c.now = s
	s.c.mu.Unlock()
	s.heard()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel() // before the wait
	defer context.AfterFunc(ctx, func() { s.end(ctx.Err()) })()
	accepted := make(chan struct{})
	s.told(&s.welcome, accepted)
	parts.Go(func() { s.end(s.readControl(ctx, accepted)) })
	parts.Go(func() { s.end(s.keepAlive(ctx)) })
	parts.Go(func() { s.takeChannels(ctx, &parts) })
	parts.Go(func() {
		select {
		case <-accepted:
			s.end(s.report(ctx))
		case <-ctx.Done():
		}
	})
	err := s.ssh.Wait()
	s.end(fmt.Errorf("conductor closed the connection: %w", err))
	return s.cause
}

// told takes a Welcome; accepted is closed the first time it says so.
func (s *session) told(w *uplink.Welcome, accepted chan struct{}) {
	s.c.update(func(st *Status) {
		if !st.Connected || st.State != w.State {
			st.Since = time.Now().UTC()
		}
		st.Connected, st.State, st.Reason, st.Conductor, st.Key, st.Attempts = true, w.State, w.Reason, w.Conductor, s.key, 0
	})
	if w.State != uplink.StateAccepted {
		s.accepted.Store(false)
		return
	}
	s.accepted.Store(true)
	s.c.welcome()
	select {
	case <-accepted:
	default:
		close(accepted)
	}
}

var errDismissed = errors.New("the conductor does not want the box")

// readControl does what the conductor asks, one after the other.
func (s *session) readControl(ctx context.Context, accepted chan struct{}) error {
	if w := &s.welcome; w.State != uplink.StateAccepted && w.State != uplink.StatePending {
		return fmt.Errorf("%w: %s: %s", errDismissed, w.State, w.Reason)
	}
	for {
		f, err := uplink.ReadFrame(s.control, uplink.MaxConfig)
		if err != nil {
			return fmt.Errorf("read control: %w", err)
		}
		s.heard()
		if f.Kind == uplink.KindWelcome {
			if err := f.Into(&s.welcome); err != nil {
				return fmt.Errorf("read control: %w", err)
			}
			s.told(&s.welcome, accepted)
			if w := &s.welcome; w.State != uplink.StateAccepted && w.State != uplink.StatePending {
				return fmt.Errorf("%w: %s: %s", errDismissed, w.State, w.Reason)
			}
			continue
		}
		answer, err := s.obey(ctx, f)
		if err != nil {
			return fmt.Errorf("read control: %w", err)
		}
		s.shares.Sends(shareRest)
		if err := uplink.WriteFrame(s.control, answer, uplink.MaxFrame); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// obey does one request. An error ends the connection.
func (s *session) obey(ctx context.Context, f uplink.Frame) (uplink.Message, error) {
	if s.welcome.State != uplink.StateAccepted {
		return nil, errors.New("a request before the box is accepted")
	}
	m, err := f.Decode()
	if errors.Is(err, uplink.ErrKind) {
		return &uplink.Refused{Reason: err.Error(), Final: true}, nil
	}
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *uplink.Config:
		return s.c.cfg.Device.Config(ctx, m), nil
	case *uplink.Book:
		if err := s.c.cfg.Device.Book(ctx, m); err != nil {
			return &uplink.Refused{Reason: uplink.Reason(err)}, nil
		}
		return &uplink.Done{}, nil
	}
	return &uplink.Refused{Reason: fmt.Sprintf("kind %d is no request", f.Kind), Final: true}, nil
}

// keepAlive asks whether the conductor lives whenever it was silent for the
// time of the profile.
func (s *session) keepAlive(ctx context.Context) error {
	for {
		idle := time.Since(s.began) - time.Duration(s.last.Load())
		if left := s.c.keepalive() - idle; left > 0 {
			t := time.NewTimer(left)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			}
			continue
		}
		if s.c.cfg.Wake() { // the report that goes out asks the same
			s.heard()
			continue
		}
		s.shares.Sends(shareRest)
		stop := time.AfterFunc(s.c.cfg.Timing.Alive, func() { s.end(ErrSilent) })
		_, _, err := s.ssh.SendRequest(uplink.RequestKeepalive, true, nil)
		stop.Stop()
		if err != nil {
			return fmt.Errorf("keep alive: %w", err)
		}
		s.keepalives.Add(1)
		s.heard()
	}
}

// prove ends a connection over which nothing comes any more: what waits in it
// would be sent again later and later, and a way that is back would not be seen.
func (s *session) prove() {
	heard := s.last.Load()
	stop := time.AfterFunc(s.c.cfg.Timing.Prove, func() {
		if s.last.Load() == heard {
			s.end(ErrMoved)
		}
	})
	defer stop.Stop()
	if _, _, err := s.ssh.SendRequest(uplink.RequestKeepalive, true, nil); err == nil {
		s.keepalives.Add(1)
		s.heard()
	}
}

// report brings what the outbox has.
func (s *session) report(ctx context.Context) error {
	ch, reqs, err := uplink.Open(s.ssh, s.gone, uplink.ChannelReports, nil)
	if err != nil {
		return fmt.Errorf("open reports: %w", err)
	}
	go ssh.DiscardRequests(reqs)
	at := &uplink.Position{}
	if err := s.read(ch, at); err != nil {
		return fmt.Errorf("open reports: %w", err)
	}
	out := s.c.cfg.Outbox
	out.Resume(*at)
	pause := Backoff{Spread: time.Second, Longest: s.c.cfg.Timing.Longest}
	for {
		m, err := out.Next(ctx)
		if err != nil {
			return err
		}
		s.shares.Sends(shareRest)
		if err := uplink.WriteFrame(ch, m, uplink.MaxFrame); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		err = s.read(ch, &uplink.Done{})
		refused := (*uplink.Refused)(nil)
		if err != nil && !errors.As(err, &refused) {
			return fmt.Errorf("report: %w", err)
		}
		s.reports.Add(1)
		out.Settle(refused)
		if refused == nil {
			pause.Reset()
			continue
		}
		s.c.cfg.Log.Warn("uplink: report refused", "conductor", s.c.cfg.Host, "kind", m.Kind(), "reason", refused.Reason)
		if !refused.Final {
			wait(ctx, pause.Next())
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// read reads an answer on the reports channel, in time.
func (s *session) read(ch ssh.Channel, m uplink.Message) error {
	stop := time.AfterFunc(s.c.cfg.Timing.Answer, func() { s.end(ErrSilent) })
	defer stop.Stop()
	f, err := uplink.ReadFrame(ch, uplink.MaxFrame)
	if err != nil {
		return err
	}
	s.heard()
	return f.Into(m)
}

// salt opens a stream to the conductor's Salt master.
func (s *session) salt(port int) (net.Conn, error) {
	data, err := json.Marshal(uplink.Salt{Port: port})
	if err != nil {
		return nil, err
	}
	s.shares.Sends(shareSalt)
	ch, reqs, err := uplink.Open(s.ssh, s.gone, uplink.ChannelSalt, data)
	s.shares.Received(shareSalt)
	if err != nil {
		return nil, fmt.Errorf("open salt stream: %w", err)
	}
	go ssh.DiscardRequests(reqs)
	return newStream(s.ctx, &shared{ch, s.shares}), nil
}
