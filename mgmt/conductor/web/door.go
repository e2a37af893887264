package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"waymark/mgmt/door"
)

// Bounds of connections.
const (
	maxHalf   = 128 // that have shown no token yet; the oldest gives way
	maxConns  = 1024
	maxHeader = 16 << 10
	headerIn  = 10 * time.Second
	bodyIn    = 60 * time.Second
	answerOut = 2 * time.Minute
	idle      = 2 * time.Minute
)

// Serve serves until ctx ends.
func (a *API) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := &visits{Context: ctx, addr: l.Addr(), come: make(chan *visitor), refused: a.log()}
	s := &http.Server{Handler: asked(a.Handler()), ReadHeaderTimeout: headerIn, ReadTimeout: bodyIn, WriteTimeout: answerOut, IdleTimeout: idle,
		MaxHeaderBytes: maxHeader, ConnState: begins, ConnContext: withVisitor, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	d := &door.Door{Name: "the API", Conns: maxConns, Half: maxHalf, Refused: a.log(), Serve: in.serve}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { _ = s.Serve(in) }) // it ends when in does, or by Close
	all.Go(func() { a.summaries(ctx) })
	err := d.Run(ctx, l)
	cancel()
	_ = s.Close() // of connections, which the door closed
	if err != nil {
		return fmt.Errorf("serve http: %w", err)
	}
	return nil
}

// summaries tells what was refused again, until ctx ends.
func (a *API) summaries(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			a.log().Summary()
		case <-ctx.Done():
			return
		}
	}
}

// visits hands the door's connections to net/http: it is the listener of its
// server, for as long as the context lasts.
type visits struct {
	context.Context
	addr    net.Addr
	come    chan *visitor
	refused *door.Refused
}

// serve is door.Door's: it returns when the server closed the connection.
func (v *visits) serve(ctx context.Context, c net.Conn, opened func()) {
	x := &visitor{Conn: c, opened: opened, refused: v.refused, closed: make(chan struct{})}
	select {
	case v.come <- x:
		<-x.closed // the server closes what the door closed, too
	case <-ctx.Done():
	}
}

// Accept implements net.Listener.
func (v *visits) Accept() (net.Conn, error) {
	select {
	case x := <-v.come:
		return x, nil
	case <-v.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: the door closes the one there is.
func (v *visits) Close() error { return nil }

// Addr implements net.Listener.
func (v *visits) Addr() net.Addr { return v.addr }

// visitor is a connection as net/http has it. It sees what the server answers
// before a handler is asked, as to a header without end: that is told nowhere else.
type visitor struct {
	net.Conn
	opened  func() // of the door; by whoever shows the token
	refused *door.Refused
	asked   atomic.Bool // the request that is at work reached the handler
	once    sync.Once   // guards the closing of closed
	closed  chan struct{}
}

// Write implements net.Conn.
func (x *visitor) Write(b []byte) (int, error) {
	if line, _, ok := bytes.Cut(b, []byte("\r\n")); ok && !x.asked.Load() {
		x.refused.Note("request", door.Host(x), errors.New(string(bytes.TrimPrefix(line, []byte("HTTP/1.1 ")))))
	}
	return x.Conn.Write(b)
}

// Close implements net.Conn.
func (x *visitor) Close() error {
	defer x.once.Do(func() { close(x.closed) })
	return x.Conn.Close()
}

type visitorKey struct{}

func withVisitor(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, c)
}

// begins is the server's ConnState: active is before the handler of each request.
func begins(c net.Conn, s http.ConnState) {
	if x, ok := c.(*visitor); ok && s == http.StateActive {
		x.asked.Store(false)
	}
}

// asked notes that a request reached the handler.
func asked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
			x.asked.Store(true)
		}
		h.ServeHTTP(w, r)
	})
}

// known has the door keep the connection of a request that showed the token.
func known(r *http.Request) {
	if x, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
		x.opened()
	}
}
