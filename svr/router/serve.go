package router

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"waymark/svr/router/ctl"
)

const (
	clientsMax  = 8                // connections served at once
	clientIdle  = 30 * time.Second // without a request
	clientWrite = 10 * time.Second // for one buffer of an answer
)

// socket is the control socket being served.
type socket struct {
	l    net.Listener
	done sync.WaitGroup
	stop context.CancelFunc
}

// serve opens the control socket and answers on it until close.
func (r *Router) serve(ctx context.Context) (*socket, error) {
	l, err := ctl.Listen(r.set.RunDir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &socket{l: l, stop: cancel}
	s.done.Go(func() { r.accept(ctx, s) })
	return s, nil
}

// close ends every connection and removes the socket.
func (s *socket) close() {
	s.stop()
	s.l.Close()
	s.done.Wait()
}

func (r *Router) accept(ctx context.Context, s *socket) {
	room := make(chan struct{}, clientsMax)
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			c.Close()
			return
		}
		s.done.Go(func() {
			defer func() { <-room }()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			r.converse(c)
		})
	}
}

// growStack makes a goroutine's stack as large as an answer needs while little is on
// it. To grow it later in steps the runtime would look up each function that waits.
//
//go:noinline
func growStack() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}

// converse answers the requests of one connection.
func (r *Router) converse(c net.Conn) {
	growStack()
	in := bufio.NewReaderSize(c, ctl.MaxRequest)
	for {
		_ = c.SetReadDeadline(time.Now().Add(clientIdle))
		line, err := readRequest(in)
		if err != nil {
			return // gone, idle, or longer than any request
		}
		var req ctl.Request
		a := &answer{c: c, w: bufio.NewWriterSize(c, 16<<10)}
		if err := json.Unmarshal(line, &req); err != nil {
			a.end(r.nodeName(), fmt.Errorf("read request: %w", err))
		} else if req.Reload {
			told, err := r.askReload(a)
			a.end(r.nodeName(), err)
			_ = a.flush() // whoever left is told nothing
			told()
			return
		} else if req.Ping != nil {
			a.end(r.nodeName(), r.servicePing(req.Ping, a))
		} else if req.Book != nil {
			a.end(r.nodeName(), r.takeBook(req.Book, a))
		} else {
			a.end(r.nodeName(), r.show(req, a))
		}
		if a.flush() != nil {
			return
		}
	}
}

// readRequest reads a line of at most ctl.MaxBook bytes.
func readRequest(in *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		line, err := in.ReadSlice('\n')
		if err == nil && long == nil {
			return line, nil
		}
		if long = append(long, line...); !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
		if len(long) > ctl.MaxBook {
			return nil, err
		}
	}
}

// answer writes the rows of one table to a client.
type answer struct {
	c       net.Conn
	w       *bufio.Writer
	encoder *ctl.Encoder
	table   string
	detail  bool
	rows    int
	shelved int // alarms left out
	line    []byte
}

// begin fixes the table before the first row.
func (a *answer) begin(t *ctl.Table, detail bool) {
	a.table, a.detail, a.encoder = t.What, detail, ctl.NewEncoder(t, detail)
}

// row sends one row: the values of the table's visible columns in order.
func (a *answer) row(values ...any) error {
	line, err := a.encoder.Append(append(a.line[:0], `{"row":`...), values...)
	if err != nil {
		return err
	}
	a.line = append(line, '}', '\n')
	a.rows++
	if a.w.Available() < len(a.line) {
		if err := a.flush(); err != nil {
			return err
		}
	}
	_, err = a.w.Write(a.line)
	return err
}

// object sends one row that is of no table.
func (a *answer) object(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	a.rows++
	_, err = a.w.Write(append(append([]byte(`{"row":`), line...), '}', '\n'))
	return err
}

func (a *answer) flush() error {
	_ = a.c.SetWriteDeadline(time.Now().Add(clientWrite))
	return a.w.Flush()
}

func (a *answer) end(node string, err error) {
	e := ctl.End{Node: node, Rows: a.rows, Shelved: a.shelved}
	if err != nil {
		e.Error = err.Error()
	}
	line, _ := json.Marshal(ctl.Answer{End: &e}) // strings and numbers always marshal
	_, _ = a.w.Write(append(line, '\n'))         // flush reports it
}

// nodeName names this node as tables do: node.router.
func (r *Router) nodeName() string { return r.tables.NodeName + "." + r.tables.RouterName }
