package dnsd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/resolve"
)

// Bounds of what hosts can make a forwarder do at once.
const (
	maxInFlight    = 256
	maxConnections = 32
	idle           = 10 * time.Second // of a connection
	maxQuestion    = 4096             // bytes
)

const dnsPort = 53

// Options are what a forwarder is told.
type Options struct {
	Interface string       // Linux interface: what arrives elsewhere is not heard
	Addrs     []netip.Addr // of it
	Client    *resolve.Client
	Log       *slog.Logger
}

// Forwarder serves one interface.
type Forwarder struct {
	opt  Options
	a    *answerer
	room chan struct{} // one place for each question in flight
	conn chan struct{} // one place for each connection
	work sync.WaitGroup
}

// NewForwarder makes a forwarder. Run runs it.
func NewForwarder(opt Options) *Forwarder {
	return &Forwarder{opt: opt, a: newAnswerer(opt.Client.Ask), room: make(chan struct{}, maxInFlight), conn: make(chan struct{}, maxConnections)}
}

// Stats returns the counters.
func (f *Forwarder) Stats() Stats {
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	s := f.a.stats
	s.Entries = f.a.cache.used.Len()
	return s
}

// Run serves until ctx ends. Sockets are opened by the calling goroutine: a
// locked thread keeps them in its network namespace.
func (f *Forwarder) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer f.work.Wait()
	defer cancel()
	for _, a := range f.opt.Addrs {
		if err := f.listen(ctx, netip.AddrPortFrom(a, dnsPort).String()); err != nil {
			return fmt.Errorf("listen for DNS on %s: %w", a, err)
		}
	}
	<-ctx.Done()
	return nil
}

func (f *Forwarder) listen(ctx context.Context, at string) error {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) (err error) {
		ctl := rc.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), f.opt.Interface) })
		return errors.Join(ctl, err)
	}}
	u, err := lc.ListenPacket(ctx, "udp", at)
	if err != nil {
		return err
	}
	l, err := lc.Listen(ctx, "tcp", at)
	if err != nil {
		return errors.Join(err, u.Close())
	}
	context.AfterFunc(ctx, func() { u.Close(); l.Close() })
	f.work.Go(func() { f.datagrams(ctx, u) })
	f.work.Go(func() { f.accept(ctx, l) })
	return nil
}

// datagrams reads questions. Those without a place are dropped: hosts ask again.
func (f *Forwarder) datagrams(ctx context.Context, c net.PacketConn) {
	b := make([]byte, maxQuestion)
	for {
		n, from, err := c.ReadFrom(b)
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			rest(ctx) // such as an ICMP error of an earlier answer
			continue
		}
		select {
		case f.room <- struct{}{}:
		default:
			f.a.count(func(s *Stats) { s.Dropped++ })
			continue
		}
		question := append([]byte(nil), b[:n]...)
		f.work.Go(func() {
			defer func() { <-f.room }()
			if out := f.a.answer(ctx, question, false); out != nil {
				_, _ = c.WriteTo(out, from) // whoever asked is gone
			}
		})
	}
}

func (f *Forwarder) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			rest(ctx) // such as too many files open
			continue
		}
		select {
		case f.conn <- struct{}{}:
		default:
			f.a.count(func(s *Stats) { s.Dropped++ })
			c.Close()
			continue
		}
		f.work.Go(func() {
			defer func() { <-f.conn }()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			f.converse(ctx, c)
		})
	}
}

// rest keeps an error that stays from turning a loop into a fire.
func rest(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}

// converse answers the questions of one connection, one after the other.
func (f *Forwarder) converse(ctx context.Context, c net.Conn) {
	for {
		_ = c.SetDeadline(time.Now().Add(idle)) // fails on closed ones only
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint16(size[:])
		if n > maxQuestion {
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		out := f.a.answer(ctx, b, true)
		if out == nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(idle))
		if _, err := c.Write(length(out)); err != nil {
			return
		}
	}
}
