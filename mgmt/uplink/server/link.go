package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
)

// link is one connection of a box. It is the Box of the Conductor.
type link struct {
	server *Server
	remote net.Addr
	conn   *uplink.Conn
	ssh    *ssh.ServerConn
	chans  <-chan ssh.NewChannel
	claim  Claim
	probe  bool
	again  chan struct{} // Recheck was called
	gone   chan struct{} // the connection has ended
	done   chan struct{} // everything that served it has, too

	attached bool // of the goroutine that serves the connection

	write   sync.Mutex // orders frames on control
	control ssh.Channel
	asking  sync.Mutex  // one request at a time on control
	asked   atomic.Bool // an answer is due
	answers chan uplink.Frame
	streams int // Salt streams; of the goroutine that takes channels
}

func (l *link) handshake() error {
	c, chans, reqs, err := ssh.NewServerConn(l.conn, l.server.ssh)
	if err != nil {
		return fmt.Errorf("shake hands: %w", err)
	}
	l.ssh, l.chans = c, chans
	go answerRequests(reqs)
	return nil
}

// answerRequests says yes to keepalives, until the connection ends.
func answerRequests(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.WantReply {
			_ = r.Reply(r.Type == uplink.RequestKeepalive, nil) // fails with the connection
		}
	}
}

var errControl = errors.New("first channel is not " + uplink.ChannelControl)

// greet takes channel Control and Hello on it.
func (l *link) greet(ctx context.Context) error {
	var n ssh.NewChannel
	select {
	case n = <-l.chans:
	case <-ctx.Done():
	}
	if n == nil {
		return errors.New("connection ended before the greeting")
	}
	if n.ChannelType() != uplink.ChannelControl {
		_ = n.Reject(ssh.Prohibited, errControl.Error())
		return errControl
	}
	ch, reqs, err := n.Accept()
	if err != nil {
		return fmt.Errorf("open control: %w", err)
	}
	go ssh.DiscardRequests(reqs)
	l.control = ch
	f, err := uplink.ReadFrame(ch, uplink.MaxHello)
	if err != nil {
		return fmt.Errorf("read greeting: %w", err)
	}
	var h uplink.Hello
	if err := f.Into(&h); err != nil {
		return fmt.Errorf("read greeting: %w", err)
	}
	key, err := ssh.ParsePublicKey([]byte(l.ssh.Permissions.Extensions[permKey]))
	if err != nil {
		return fmt.Errorf("read key: %w", err)
	}
	l.probe = h.Probe
	l.claim = Claim{Asset: l.ssh.User(), Key: key, Finger: ssh.FingerprintSHA256(key), Remote: l.remote, Hello: h, At: time.Now()}
	l.conn.Rolling(patience(h.Keepalive))
	return nil
}

// patience is the silence after which a box is given up.
func patience(keepalive int) time.Duration {
	return 3*time.Duration(keepalive)*time.Second + 15*time.Second
}

// admit asks the Conductor until the box is accepted (true), the connection
// ends or the box was told to go.
func (l *link) admit(ctx context.Context) (bool, error) {
	defer l.server.waited(l)
	for told := false; ; {
		d, err := l.decide(ctx)
		switch {
		case err != nil:
			l.farewell(uplink.StateBusy, "cannot decide now", 0)
			return false, err
		case d.State == uplink.StateAccepted && !l.probe:
			return true, l.welcome(d)
		case d.State != uplink.StatePending || l.probe:
			l.farewell(d.State, d.Reason, d.Retry)
			return false, l.judged(d)
		case !told:
			told = true
			if err := l.welcome(d); err != nil {
				return false, err
			}
		}
		if err := l.untilAgain(ctx); err != nil {
			return false, nil
		}
	}
}

// decide asks the Conductor once. A box that has to wait needs a place to.
func (l *link) decide(ctx context.Context) (Decision, error) {
	d, err := l.server.cfg.Conductor.Authorize(ctx, &l.claim)
	if err != nil {
		return d, fmt.Errorf("authorize: %w", err)
	}
	if d.State == uplink.StatePending && !l.probe && !l.server.wait(l) {
		d = Decision{State: uplink.StateBusy, Reason: "too many boxes wait for an operator", Retry: 5 * time.Minute}
	}
	return d, nil
}

// judged is the error that a decision against a box is logged as.
func (l *link) judged(d Decision) error {
	if d.State == uplink.StateAccepted {
		return nil // a probe
	}
	return fmt.Errorf("%s: %s (key %s)", d.State, d.Reason, l.claim.Finger)
}

// untilAgain waits for Recheck. Channels are refused meanwhile.
func (l *link) untilAgain(ctx context.Context) error {
	for {
		select {
		case <-l.again:
			return nil
		case n, ok := <-l.chans:
			if !ok {
				return ErrGone
			}
			_ = n.Reject(ssh.Prohibited, "not accepted yet")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait counts l among those that are pending; false: there is no room.
func (s *Server) wait(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting[l] && len(s.waiting) >= s.cfg.Limits.Pending {
		return false
	}
	s.waiting[l] = true
	return true
}

func (s *Server) waited(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, l)
}

func (l *link) recheck() {
	select {
	case l.again <- struct{}{}:
	default: // it will look anyway
	}
}

// welcome tells the box a decision.
func (l *link) welcome(d Decision) error {
	return l.send(&uplink.Welcome{
		Version: uplink.Version, State: d.State, Reason: d.Reason, Retry: int(min(d.Retry, 24*time.Hour) / time.Second),
		Conductor: l.server.cfg.Name, Time: time.Now().UTC(),
	}, uplink.MaxFrame)
}

// farewell tells the box a decision and ends the connection when it has left.
func (l *link) farewell(state uplink.State, reason string, retry time.Duration) {
	_ = l.welcome(Decision{State: state, Reason: reason, Retry: retry}) // it goes anyway
	_ = l.control.CloseWrite()
	// The box closes when it has read this; one that does not is closed.
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	select {
	case <-l.gone:
	case <-t.C:
	}
	l.ssh.Close()
}

// send writes a frame on control.
func (l *link) send(m uplink.Message, limit int) error {
	l.write.Lock()
	defer l.write.Unlock()
	return uplink.WriteFrame(l.control, m, limit)
}

// live serves an accepted box until its connection ends.
func (l *link) live(ctx context.Context, streams *sync.WaitGroup) {
	streams.Go(func() { l.readControl(ctx) })
	reports := false
	ended := make(chan struct{}, l.server.cfg.Limits.Streams)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			l.streams--
		case <-l.again:
			l.reconsider(ctx)
		case n, ok := <-l.chans:
			switch {
			case !ok:
				return
			case n.ChannelType() == uplink.ChannelReports && !reports:
				reports = true
				streams.Go(func() { l.takeReports(ctx, n) })
			case n.ChannelType() == uplink.ChannelSalt && l.streams < l.server.cfg.Limits.Streams:
				l.streams++
				streams.Go(func() {
					l.takeSalt(ctx, n)
					ended <- struct{}{}
				})
			default:
				l.server.refused.Note("channel", l.claim.Asset, fmt.Errorf("type %.40q", n.ChannelType()))
				_ = n.Reject(ssh.Prohibited, "not now, or never")
			}
		}
	}
}

// reconsider ends the connection of a box that is accepted no more.
func (l *link) reconsider(ctx context.Context) {
	d, err := l.server.cfg.Conductor.Authorize(ctx, &l.claim)
	if err == nil && d.State != uplink.StateAccepted {
		l.Close(d.State, d.Reason, d.Retry)
	}
}

// Claim, Done and Close are Box's.

func (l *link) Claim() *Claim         { return &l.claim }
func (l *link) Done() <-chan struct{} { return l.gone }

func (l *link) Close(state uplink.State, reason string, retry time.Duration) {
	go l.farewell(state, reason, retry)
}
