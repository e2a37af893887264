package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/server"
	"waymark/mgmt/uplink/uplinktest"
)

// limit bounds each test; a busy machine must not fail one.
const limit = time.Minute

// device is a box that does what tests look at.
type device struct {
	logs   map[string]string
	mu     sync.Mutex // guards the rest
	config *uplink.Config
	book   *uplink.Book
}

func (d *device) Facts() uplink.Facts { return uplink.Facts{Software: "1.0", Router: "branch1"} }

func (d *device) Config(_ context.Context, c *uplink.Config) *uplink.ConfigState {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = c
	return &uplink.ConfigState{Status: uplink.ConfigApplying, Router: c.Router}
}

func (d *device) Book(_ context.Context, b *uplink.Book) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.book = b
	if len(b.Entries) == 0 {
		return errors.New("nothing in it\x07")
	}
	return nil
}

// Shell echoes in capitals.
func (d *device) Shell(_ context.Context, s uplink.Shell, stream io.ReadWriteCloser, sizes <-chan uplink.Size) {
	defer stream.Close()
	fmt.Fprintf(stream, "%s %s %dx%d\n", s.User, s.Level, s.Width, s.Height)
	buf := make([]byte, 64)
	for {
		n, err := stream.Read(buf)
		if err != nil {
			return
		}
		if string(buf[:n]) == "size" {
			size := <-sizes
			fmt.Fprintf(stream, "%dx%d\n", size.Width, size.Height)
			continue
		}
		stream.Write(bytes.ToUpper(buf[:n]))
	}
}

type memFile struct{ *strings.Reader }

func (memFile) Close() error { return nil }

func (d *device) Logs() (list []uplink.Log, err error) {
	for name, text := range d.logs {
		list = append(list, uplink.Log{Name: name, Size: int64(len(text))})
	}
	return list, nil
}

func (d *device) OpenLog(name string) (client.LogFile, uplink.Log, error) {
	text, ok := d.logs[name]
	if !ok {
		return nil, uplink.Log{}, errors.New("no such log")
	}
	return memFile{strings.NewReader(text)}, uplink.Log{Name: name, Size: int64(len(text))}, nil
}

// outbox reports what the test puts.
type outbox struct {
	ch      chan uplink.Message
	settled chan *uplink.Refused
	again   uplink.Message
	at      chan uplink.Position
}

func newOutbox() *outbox {
	return &outbox{ch: make(chan uplink.Message, 16), settled: make(chan *uplink.Refused, 16), at: make(chan uplink.Position, 16)}
}

func (o *outbox) Resume(at uplink.Position) { o.at <- at }

func (o *outbox) Next(ctx context.Context) (uplink.Message, error) {
	if o.again != nil {
		return o.again, nil
	}
	select {
	case m := <-o.ch:
		o.again = m
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (o *outbox) Settle(r *uplink.Refused) {
	if r == nil || r.Final {
		o.again = nil
	}
	o.settled <- r
}

// quick are the timings of tests.
var quick = client.Timing{Spread: 50 * time.Millisecond, Longest: 200 * time.Millisecond}

// rig is a client with its device.
type rig struct {
	*client.Client
	dev    *device
	out    *outbox
	states chan client.Status
	cfg    client.Config
}

func newRig(t *testing.T, host string, change func(*client.Config)) *rig {
	t.Helper()
	r := &rig{dev: &device{}, out: newOutbox(), states: make(chan client.Status, 256)}
	r.cfg = client.Config{
		Asset: "box1", Key: uplinktest.Key(t), Host: host, Dial: dial, Device: r.dev, Outbox: r.out, Timing: quick,
		HostKey: func(string, ssh.PublicKey) error { return nil }, Keepalive: func() time.Duration { return 5 * time.Second },
		OnState: func(s client.Status) { r.states <- s }, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&r.cfg)
	}
	r.Client = client.New(r.cfg)
	return r
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	return client.Dialer().DialContext(ctx, "tcp", addr)
}

// start runs the client until the test ends.
func (r *rig) start(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		r.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// until reads states until ok.
func (r *rig) until(t *testing.T, ok func(client.Status) bool) client.Status {
	t.Helper()
	var last client.Status
	for {
		select {
		case last = <-r.states:
			if ok(last) {
				return last
			}
		case <-time.After(limit):
			t.Fatalf("state does not come, last %+v", last)
		}
	}
}

func in(s uplink.State) func(client.Status) bool {
	return func(st client.Status) bool { return st.Connected && st.State == s }
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func quiet(c *uplinktest.Conductor) server.Config {
	return server.Config{Conductor: c, Name: "conductor1", Log: slog.New(slog.DiscardHandler)}
}

func TestEnrolment(t *testing.T) {
	store := uplinktest.New()
	s := uplinktest.Start(t, "", quiet(store))
	r := newRig(t, s.Addr, nil)
	r.start(t)
	r.until(t, in(uplink.StatePending))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := r.Salt(ctx, 4505); err == nil {
		t.Error("a box that is pending has a stream to the Salt master")
	}
	store.Set("box1", uplink.StateAccepted)
	s.Recheck("box1")
	st := r.until(t, in(uplink.StateAccepted))
	if st.Conductor != "conductor1" || !strings.HasPrefix(st.Key, "SHA256:") {
		t.Errorf("status %+v", st)
	}
	if _, err := store.Box(within(t), "box1"); err != nil {
		t.Fatal(err)
	}
	// Another key under the same id: told so, and the first goes on.
	twin := newRig(t, s.Addr, nil)
	twin.start(t)
	got := twin.until(t, func(s client.Status) bool { return s.State == uplink.StateDuplicate })
	if got.Reason == "" || !r.Status().Connected {
		t.Errorf("duplicate: %+v; first: %+v", got, r.Status())
	}
	store.Set("box1", uplink.StateRejected)
	s.Recheck("box1")
	r.until(t, func(s client.Status) bool { return s.State == uplink.StateRejected })
}

func TestReports(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	r := newRig(t, s.Addr, nil)
	r.start(t)
	epoch := strings.Repeat("ab", 16)
	r.out.ch <- &uplink.Events{Epoch: epoch, Events: []uplink.Event{{Seq: 1, Alarm: 1}, {Seq: 2, Alarm: 1}}}
	r.out.ch <- &uplink.Addresses{Full: true, Addresses: []uplink.Address{{Interface: "wan"}}}
	r.out.ch <- &uplink.Entitlement{Router: "branch1", Samples: []uplink.Sample{{Start: time.Unix(300, 0), Seconds: 300, Peak: 7}}}
	r.out.ch <- &uplink.ConfigState{Status: uplink.ConfigInSync}
	r.out.ch <- &uplink.Hello{Version: 1, Keepalive: 5} // no report: refused for good
	for i := range 5 {
		if got := <-r.out.settled; (got != nil) != (i == 4) || got != nil && !got.Final {
			t.Errorf("report %d: %+v", i, got)
		}
	}
	err := store.Await(within(t), "box1", func(a *uplinktest.Asset) bool {
		return a.At.Seq == 2 && len(a.Events) == 2 && a.Updates == 1 && a.Entitlement[300] == 7 && len(a.Config) == 1
	})
	if err != nil {
		t.Fatal(err)
	}
	// What cannot be kept comes again until it is.
	store.Trouble(errors.New("no disk"))
	r.out.ch <- &uplink.Events{Epoch: epoch, Events: []uplink.Event{{Seq: 3}}}
	if got := <-r.out.settled; got == nil || got.Final || got.Reason != "no disk" {
		t.Errorf("in trouble: %+v", got)
	}
	store.Trouble(nil)
	for got := <-r.out.settled; got != nil; got = <-r.out.settled {
	}
	if at := <-r.out.at; at != (uplink.Position{}) {
		t.Errorf("first position %+v", at)
	}
	s.Stop(t)
	r.until(t, func(s client.Status) bool { return !s.Connected })
	uplinktest.Start(t, s.Addr, quiet(store))
	if at := <-r.out.at; at != (uplink.Position{Epoch: epoch, Seq: 3}) {
		t.Errorf("position after the restart %+v", at)
	}
}

func TestRequests(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	r := newRig(t, s.Addr, nil)
	r.dev.logs = map[string]string{"events": strings.Repeat("0123456789", 30000)}
	r.start(t)
	ctx := within(t)
	box, err := store.Box(ctx, "box1")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := uplink.Pack([]byte(`{"authority":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	st, err := box.SendConfig(ctx, &uplink.Config{Router: "branch1", Packed: packed})
	if err != nil || st.Status != uplink.ConfigApplying || !bytes.Equal(r.dev.config.Packed, packed) {
		t.Errorf("config: %+v, %v", st, err)
	}
	if err := box.SendBook(ctx, &uplink.Book{Entries: []uplink.BookEntry{{Router: "b"}}}); err != nil {
		t.Error(err)
	}
	if err := box.SendBook(ctx, &uplink.Book{}); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), "nothing in it ") {
		t.Errorf("empty book: %v", err)
	}
	if err := box.SendBook(ctx, &uplink.Book{Entries: make([]uplink.BookEntry, 50000)}); !errors.Is(err, uplink.ErrContent) {
		t.Errorf("a book that is too long: %v", err)
	}
	list, err := box.Logs(ctx)
	if err != nil || len(list) != 1 || list[0].Name != "events" || list[0].Size != 300000 {
		t.Errorf("logs: %v, %v", list, err)
	}
	for _, row := range []struct{ from, limit, want int64 }{{0, 0, 300000}, {299995, 0, 5}, {300000, 0, 0}, {10, 20, 20}, {299990, 100, 10}} {
		h, body, err := box.Log(ctx, uplink.LogRequest{Name: "events", Offset: row.from, Limit: row.limit})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		body.Close()
		if err != nil || int64(len(got)) != row.want || h.Length != row.want || string(got) != r.dev.logs["events"][row.from:row.from+row.want] {
			t.Errorf("log from %d: %d bytes, header %+v, %v", row.from, len(got), h, err)
		}
	}
	for _, req := range []uplink.LogRequest{{Name: "../../etc/passwd"}, {Name: "events", Offset: 300001}} {
		if _, _, err := box.Log(ctx, req); !errors.Is(err, server.ErrRefused) {
			t.Errorf("log %+v: %v", req, err)
		}
	}
}

func TestShell(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	newRig(t, s.Addr, nil).start(t)
	ctx := within(t)
	box, err := store.Box(ctx, "box1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := box.Shell(ctx, uplink.Shell{User: "ann", Level: "root"}, nil); !errors.Is(err, server.ErrRefused) {
		t.Errorf("a level that is none: %v", err)
	}
	var cast bytes.Buffer
	sh, err := box.Shell(ctx, uplink.Shell{User: "ann", Level: "admin", Width: 100, Height: 30}, &cast)
	if err != nil {
		t.Fatal(err)
	}
	talk := func(say, want string) {
		t.Helper()
		if say != "" {
			if _, err := io.WriteString(sh, say); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(sh, got); err != nil || string(got) != want {
			t.Fatalf("%q is answered with %q, %v", say, got, err)
		}
	}
	talk("", "ann admin 100x30\n")
	talk("hello", "HELLO")
	if err := sh.Resize(132, 50); err != nil {
		t.Fatal(err)
	}
	talk("size", "132x50\n")
	if err := sh.Close(); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(cast.String()), "\n")
	if len(lines) < 5 || !strings.Contains(lines[0], `"version":2`) || !strings.Contains(cast.String(), `"HELLO"`) || !strings.Contains(cast.String(), `"r","132x50"`) {
		t.Errorf("recording:\n%s", cast.String())
	}
}

// A stream to the Salt master carries bytes both ways and ends with either side.
func TestSalt(t *testing.T) {
	store := uplinktest.New("box1")
	store.SaltDial = func(asset string, port int) (net.Conn, error) {
		if asset != "box1" || port != 4506 {
			return nil, errors.New("another one")
		}
		a, b := net.Pipe()
		go func() {
			defer b.Close()
			_, _ = io.Copy(b, b)
		}()
		return a, nil
	}
	s := uplinktest.Start(t, "", quiet(store))
	r := newRig(t, s.Addr, nil)
	opened := make(chan error, 1)
	go func() { // before there is a connection
		c, err := r.Salt(t.Context(), 4506)
		if err == nil {
			err = c.Close()
		}
		opened <- err
	}()
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := r.Salt(gone, 4506); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait: %v", err)
	}
	r.start(t)
	if err := <-opened; err != nil {
		t.Errorf("who waited: %v", err)
	}
	r.until(t, in(uplink.StateAccepted))
	if _, err := r.Salt(t.Context(), 4505); err == nil {
		t.Error("a port that is refused has a stream")
	}
	if _, err := r.Salt(t.Context(), 22); err == nil {
		t.Error("port 22 has a stream")
	}
	c, err := r.Salt(t.Context(), 4506)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("frame", 20000)
	go io.WriteString(c, want)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(got); err == nil {
		t.Error("a deadline does not end a read")
	}
	c.Close()
}

// A conductor with another host key is left before anything is told.
func TestHostKey(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	wrong := errors.New("not the one")
	r := newRig(t, s.Addr, func(c *client.Config) { c.HostKey = func(string, ssh.PublicKey) error { return wrong } })
	r.start(t)
	r.until(t, func(s client.Status) bool { return s.Attempts > 1 && strings.Contains(s.Reason, wrong.Error()) })
	if err := r.Probe(within(t)); !errors.Is(err, wrong) {
		t.Errorf("probe: %v", err)
	}
}

// A probe finds out whether the box gets through, and disturbs no connection.
func TestProbe(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	r := newRig(t, s.Addr, nil)
	r.start(t)
	if _, err := store.Box(within(t), "box1"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := r.Probe(within(t)); err != nil {
			t.Error(err)
		}
	}
	if st := r.Status(); !st.Connected || r.Traffic().Connects != 1 {
		t.Errorf("after the probes: %+v, %+v", st, r.Traffic())
	}
	stranger := newRig(t, s.Addr, func(c *client.Config) { c.Asset = "box2" })
	if err := stranger.Probe(within(t)); err == nil || !strings.Contains(err.Error(), "pending") {
		t.Errorf("probe of a stranger: %v", err)
	}
}
