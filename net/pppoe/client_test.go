package pppoe

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waymark/net/pppoe/disc"
)

// fakeWire is the kernel and the line of a client: the access concentrator of
// sim behind channels.
type fakeWire struct {
	testing.TB
	in     chan heard
	ac     *sim // answers only
	former int
	limit  int // MTU that the line can have for IP packets
	log    []string
	fail   error // of open
	deaf   bool
	closed bool
}

func (w *fakeWire) note(s string) { w.log = append(w.log, s) }

func (w *fakeWire) prepare(mru uint16, former int) (int, error) {
	if former != 0 {
		w.former = former
	}
	return min(int(mru), w.limit), nil
}
func (w *fakeWire) formerMTU() int         { return w.former }
func (w *fakeWire) received() <-chan heard { return w.in }
func (w *fakeWire) hangup()                { w.note("hangup") }
func (w *fakeWire) close()                 { w.closed = true }
func (w *fakeWire) carry(a Action) error {
	if a.IPv4 {
		w.note("carry")
	} else {
		w.note("drop")
	}
	return nil
}

// discover answers by what sim's access concentrator would say.
func (w *fakeWire) discover(frame []byte) error {
	p, err := disc.Parse(frame)
	if err != nil {
		return err
	}
	w.note(p.Code.String())
	uniq, _ := p.Find(disc.HostUniq)
	r := disc.Packet{Dst: p.Src, Src: ac, Code: disc.PADO, Tags: []disc.Tag{{Kind: disc.HostUniq, Value: uniq}, {Kind: disc.ServiceName}, {Kind: disc.ACName, Value: []byte("ac1")}}}
	if p.Code == disc.PADR {
		r.Code, r.Session = disc.PADS, 0x33
	}
	if p.Code != disc.PADT && !w.deaf {
		w.in <- heard{heardDiscovery, r.Frame()}
	}
	return nil
}

func (w *fakeWire) open(c Channel) error {
	w.note("open")
	if w.fail != nil {
		return w.fail
	}
	w.say(0xc021, 1, 1) // no authentication
	return nil
}

func (w *fakeWire) say(proto uint16, code, id byte, data ...byte) {
	w.in <- heard{heardPPP, append([]byte{byte(proto >> 8), byte(proto), code, id, 0, byte(4 + len(data))}, data...)}
}

func (w *fakeWire) write(f []byte) error {
	proto, code, id, data := uint16(f[0])<<8|uint16(f[1]), f[2], f[3], f[6:]
	switch {
	case w.deaf:
	case proto == 0xc021 && code == 1, proto == 0x8021 && code == 1 && data[2] != 0:
		w.say(proto, 2, id, data...)
	case proto == 0xc021 && code == 5:
		w.say(proto, 6, id)
	case proto == 0xc021 && code == 9:
		w.say(proto, 10, id, 1, 2, 3, 4)
	case proto == 0x8021 && code == 1:
		w.say(proto, 1, 1, 3, 6, 10, 64, 0, 1)
		w.say(proto, 3, id, 3, 6, 10, 64, 0, 10)
	}
	return nil
}

// ride runs a client in a bubble of its own time.
func ride(t *testing.T, w *fakeWire, file string, do func(c *Client, last func() Status, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w.TB, w.in = t, make(chan heard, 64)
		var status Status
		c := newClient(Options{Name: "pp-x", File: file, Log: slog.New(slog.DiscardHandler),
			Config: Config{MAC: us, MRU: 1500}, Changed: func(s Status) { status = s }}, w)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		stop := func() { cancel(); <-done }
		defer stop()
		c.Link(true)
		do(c, func() Status { synctest.Wait(); return status }, stop)
	})
}

func TestClient(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.json")
	w := &fakeWire{limit: 1492, former: 1400}
	ride(t, w, file, func(c *Client, last func() Status, stop func()) {
		time.Sleep(time.Second)
		s := last()
		if s.State != Connected || s.Session == nil || s.Session.MTU != 1492 || s.Failure != nil || s.Phase != "NETWORK" {
			t.Fatalf("status %+v", s)
		}
		if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), `"session":51`) || !strings.Contains(string(b), `"mtu":1400`) {
			t.Errorf("kept %s, %v", b, err)
		}
		c.Link(true) // it was away in between
		time.Sleep(time.Second)
		if s := last(); s.State != Connected {
			t.Errorf("after a flap: %+v", s)
		}
		w.in <- heard{kind: heardEnd}
		time.Sleep(2 * time.Second)
		if s := last(); s.State != Connected || s.Failure != nil {
			t.Errorf("after the kernel ended it: %+v", s)
		}
		stop()
		if s := last(); s.State != Stopped || !w.closed {
			t.Errorf("stopped: %+v", s)
		}
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("file left: %v", err)
		}
	})
	want := []string{"PADI", "PADR", "open", "carry", "PADT", "drop", "hangup", "PADI", "PADR", "open", "carry", "drop", "PADT", "hangup"}
	if !slices.Equal(w.log, want) {
		t.Errorf("did %v, want %v", w.log, want)
	}
}

// An other end that does not answer delays the stop by little.
func TestClientStopsAlone(t *testing.T) {
	w := &fakeWire{limit: 1492}
	ride(t, w, "", func(_ *Client, last func() Status, stop func()) {
		time.Sleep(time.Second)
		w.deaf = true
		began := time.Now()
		stop()
		if d := time.Since(began); d > 2*time.Second || !w.closed {
			t.Errorf("took %v", d)
		}
	})
}

// What was kept: a session is ended first, a file that is none is told and left.
func TestClientRemembers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.json")
	if err := save(file, kept{Session: 0x77, AC: ac, MTU: 1450}); err != nil {
		t.Fatal(err)
	}
	w := &fakeWire{limit: 1492}
	ride(t, w, file, func(_ *Client, last func() Status, _ func()) {
		time.Sleep(time.Second)
		if s := last(); s.State != Connected || w.log[0] != "PADT" || w.former != 1450 {
			t.Errorf("%+v, did %v, MTU before %d", s, w.log, w.former)
		}
	})
	for _, text := range []string{"", "x", `{"mtu": -1}`, strings.Repeat(" ", maxKept+1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := load(file); err == nil || k != (kept{}) {
			t.Errorf("%.10q: %+v, %v", text, k, err)
		}
	}
}

// A kernel without PPP is told with its words.
func TestClientWithoutKernel(t *testing.T) {
	w := &fakeWire{limit: 1492, fail: errors.New("no such device")}
	ride(t, w, "", func(_ *Client, last func() Status, _ func()) {
		time.Sleep(time.Second / 2)
		if s := last(); s.State != Waiting || s.Failure == nil || s.Failure.Code != kernelFailed || s.Failure.Reason != "no such device" ||
			!s.Failure.Retry.After(s.Failure.At) {
			t.Errorf("%+v, %+v", s, s.Failure)
		}
		w.fail = nil
		time.Sleep(time.Minute)
		if s := last(); s.State != Connected {
			t.Errorf("%+v", s)
		}
	})
}
