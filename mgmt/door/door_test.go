package door

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// open runs a door on the loopback whose connections are served until they
// close; a first byte opens one.
func open(t *testing.T, conns, half int) (dial func() net.Conn, r *Refused) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r = NewRefused("test", slog.New(slog.DiscardHandler))
	d := Door{Name: "guests", Conns: conns, Half: half, Refused: r, Serve: func(_ context.Context, c net.Conn, opened func()) {
		for buf := make([]byte, 1); ; {
			if _, err := c.Read(buf); err != nil {
				return
			}
			opened()
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(d.conns) != 0 || d.half.Len() != 0 {
			t.Errorf("left: %d connections, %d half-open", len(d.conns), d.half.Len())
		}
	})
	return func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}, r
}

// greet opens a connection.
func greet(t *testing.T, c net.Conn) {
	t.Helper()
	buf := []byte{1}
	if _, err := c.Write(buf); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(buf); err != nil {
		t.Fatalf("not served: %v", err)
	}
}

// gone waits for the door to close a connection.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d bytes, want the end", n)
	}
}

func TestOldestHalfOpenGivesWay(t *testing.T) {
	dial, r := open(t, 10, 2)
	opened := dial()
	greet(t, opened)
	first := dial()
	for range 2 {
		dial()
	}
	gone(t, first)
	greet(t, dial())
	greet(t, opened) // never the ones that opened
	if n := r.Counts()["half-open connection to guests"]; n != 2 {
		t.Errorf("%d refusals, want 2", n)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	dial, r := open(t, 2, 2)
	a, b := dial(), dial()
	greet(t, a)
	greet(t, b)
	gone(t, dial())
	if n := r.Counts()["connection to guests"]; n != 1 {
		t.Errorf("%d refusals, want 1", n)
	}
	greet(t, a)
}

func TestListenerClosedByOthers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	d := Door{Name: "guests", Refused: NewRefused("test", slog.New(slog.DiscardHandler))}
	if err := d.Run(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestRefusedTellsOnce(t *testing.T) {
	var log bytes.Buffer
	r := NewRefused("uplink", slog.New(slog.NewTextHandler(&log, nil)))
	for i := range 3 * maxTold {
		for range 2 {
			r.Note("greeting", fmt.Sprintf("192.0.2.%d", i), net.ErrClosed)
		}
	}
	if n := strings.Count(log.String(), "uplink: refused"); n != maxTold {
		t.Errorf("%d lines, want %d", n, maxTold)
	}
	if n := r.Counts()["greeting"]; n != 6*maxTold {
		t.Errorf("counted %d, want %d", n, 6*maxTold)
	}
	log.Reset()
	r.Summary()
	r.Summary()                                                                    // forgotten
	if n := strings.Count(log.String(), "uplink: refused again"); n != maxTold+1 { // one line for all the others
		t.Errorf("%d lines of summary, want %d", n, maxTold+1)
	}
	log.Reset()
	r.Note("greeting", "192.0.2.1", net.ErrClosed)
	if !strings.Contains(log.String(), "refused") {
		t.Error("not told again after the summary")
	}
	for i := range 2 * maxTold {
		r.Note(fmt.Sprintf("box %d", i), "192.0.2.1", net.ErrClosed)
	}
	if n := len(r.Counts()); n > maxTold+1 {
		t.Errorf("%d kinds are remembered", n)
	}
}
