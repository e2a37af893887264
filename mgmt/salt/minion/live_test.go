package minion_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/master"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/recording"
)

// Our minion at our master over loopback sockets.

// keys are throwaway keys of the recordings: making new ones takes seconds.
func keys(t testing.TB) (masterKey, a, b *crypt.Private) {
	t.Helper()
	x, err := recording.Read("../testdata", "3006")
	if err != nil {
		t.Fatal(err)
	}
	y, err := recording.Read("../testdata", "3007")
	if err != nil {
		t.Fatal(err)
	}
	return x.Master, x.Minion, y.Minion
}

type pin struct {
	mu sync.Mutex
	k  *crypt.Public
}

func (p *pin) Load() (*crypt.Public, error) { p.mu.Lock(); defer p.mu.Unlock(); return p.k, nil }
func (p *pin) Store(k *crypt.Public) error  { p.mu.Lock(); defer p.mu.Unlock(); p.k = k; return nil }

// hub is a running master.
type hub struct {
	*master.Master
	t       *testing.T
	req     net.Listener
	pub     net.Listener
	stop    context.CancelFunc
	done    chan error
	once    sync.Once
	returns chan master.Return
	events  chan master.Event
	log     *lines
}

// lines is a log that can be searched.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), what)
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newHub(t *testing.T, key *crypt.Private, store master.Keys, reqAddr, pubAddr string, limits master.Limits) *hub {
	t.Helper()
	h := &hub{t: t, returns: make(chan master.Return, 256), events: make(chan master.Event, 256), done: make(chan error, 1), log: &lines{}}
	var err error
	h.Master, err = master.New(master.Config{
		Key: key, Keys: store, Limits: limits, Files: fstest.MapFS{"fw.bin": {Data: make([]byte, 3<<20)}},
		Log:      slog.New(slog.NewTextHandler(h.log, nil)),
		OnReturn: func(r master.Return) { h.returns <- r }, OnEvent: func(e master.Event) { h.events <- e },
		Pillar: func(_ context.Context, id, _ string, _ msgpack.Map) (msgpack.Map, error) {
			return msgpack.KV("secret", "of "+id, "waymark", msgpack.KV("config", msgpack.KV("authority", msgpack.KV("name", "new")))), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.req, h.pub = listen(t, reqAddr), listen(t, pubAddr)
	ctx, cancel := context.WithCancel(t.Context())
	h.stop = cancel
	go func() { h.done <- h.Serve(ctx, h.req, h.pub) }()
	t.Cleanup(h.end)
	return h
}

func (h *hub) end() {
	h.once.Do(func() {
		h.stop()
		if err := <-h.done; err != nil {
			h.t.Errorf("master: %v", err)
		}
	})
}

// box is a running minion.
type box struct {
	hub *hub
	id  string
	*minion.Minion
	states chan minion.State
	log    *lines
	files  string
	stop   func()
}

func newBox(t *testing.T, h *hub, id string, key *crypt.Private, p minion.Pin) *box {
	t.Helper()
	who, err := salt.NewIdentity(id, key, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{hub: h, id: id, states: make(chan minion.State, 256), log: &lines{}, files: t.TempDir()}
	b.Minion, err = minion.New(minion.Config{
		Identity: who, Host: "127.0.0.1", Port: h.req.Addr().(*net.TCPAddr).Port, Pin: p,
		Functions: module.New(&module.Box{Files: b.files, Config: &store{}}),
		Grains:    func() msgpack.Map { return msgpack.KV("id", id, "os", "Waymark", "ipv4", []any{"192.0.2.1"}) },
		Log:       slog.New(slog.NewTextHandler(b.log, nil)), OnState: func(s minion.State) { b.states <- s },
		Timing: minion.Timing{Request: 5 * time.Second, Retry: 20 * time.Millisecond, RetryMax: 100 * time.Millisecond, Accept: 20 * time.Millisecond, AcceptMax: 50 * time.Millisecond, Reauth: time.Nanosecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	t.Cleanup(b.stop)
	return b
}

// store is a configuration that is never the desired one.
type store struct{}

func (store) Compare(context.Context, []byte) ([]module.Change, error) {
	return []module.Change{{Path: "authority > name", Old: "old", New: "new"}}, nil
}
func (store) Commit(context.Context, []byte) (string, error)   { return "7", nil }
func (store) Running(context.Context) ([]byte, error)          { return []byte(`{"authority":{}}`), nil }
func (store) Rollback(context.Context, string) (string, error) { return "6", nil }
func (store) Confirm(context.Context) error                    { return nil }
func (store) Within() time.Duration                            { return time.Minute }

const patience = time.Minute

func await[T any](t *testing.T, what string, c <-chan T, ok func(T) bool) T {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case v := <-c:
			if ok(v) {
				return v
			}
		case <-limit:
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// until asks again and again.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

func (b *box) await(t *testing.T, want minion.State) {
	t.Helper()
	await(t, string(want), b.states, func(s minion.State) bool { return s == want })
	if want == minion.Ready {
		b.hub.hears(b.id)
	}
}

// hears waits until a box that is ready hears what is published: to a master its
// subscription comes by another connection than its start.
func (h *hub) hears(id string) {
	h.t.Helper()
	err := errors.New("not asked")
	for range 200 {
		jid, failed := h.Publish(master.Job{Fun: "test.ping", Target: id})
		if failed != nil {
			h.t.Fatal(failed)
		}
		select {
		case r := <-h.returns:
			if r.JID == jid {
				return
			}
		case <-time.After(100 * time.Millisecond):
		}
		err = fmt.Errorf("job %s did not come back", jid)
	}
	h.t.Fatalf("%s does not hear: %v", id, err)
}

func (h *hub) run(j master.Job) master.Return {
	h.t.Helper()
	jid, err := h.Publish(j)
	if err != nil {
		h.t.Fatal(err)
	}
	return await(h.t, fmt.Sprint(j.Fun), h.returns, func(r master.Return) bool { return r.JID == jid })
}

func accepted(t *testing.T, keys map[string]*crypt.Private) *master.Memory {
	t.Helper()
	m := &master.Memory{}
	for id, k := range keys {
		if _, err := m.Update(id, func(master.Entry) (master.Entry, error) {
			return master.Entry{ID: id, Key: k.Public.PEM(), State: master.Accepted}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestPendingThenAccepted(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, &master.Memory{}, "127.0.0.1:0", "127.0.0.1:0", master.Limits{})
	p := &pin{}
	b := newBox(t, h, "cpe-1", k, p)
	b.await(t, minion.Pending)
	if p.k != nil {
		t.Error("a key was pinned that nobody proved")
	}
	if err := h.Reject("cpe-1"); err != nil {
		t.Fatal(err)
	}
	b.await(t, minion.Rejected)
	if err := h.Accept("cpe-1"); err != nil {
		t.Fatal(err)
	}
	b.await(t, minion.Ready)
	await(t, "start", h.events, func(e master.Event) bool { return e.Tag == "salt/minion/cpe-1/start" && e.ID == "cpe-1" })
	if p.k == nil || !p.k.Equal(&mk.Public) {
		t.Error("master's key is not pinned")
	}
	if got := h.run(master.Job{Fun: "test.ping", Target: "cpe-*"}).Load.Get("return"); got != true {
		t.Errorf("test.ping: %v", got)
	}
	if g := h.Grains("cpe-1"); g.Text("os") != "Waymark" {
		t.Errorf("grains at the master: %v", g)
	}
	if n := b.log.count("key is pending"); n != 1 {
		t.Errorf("pending was logged %d times", n)
	}
}

func TestWork(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{})
	b := newBox(t, h, "cpe-1", k, &pin{})
	b.await(t, minion.Ready)

	if got := h.run(master.Job{Fun: "pillar.get", Args: []any{"secret"}, Target: "G@os:Waymark and S@192.0.2.0/24", TargetType: "compound"}).Load; got.Get("return") != "of cpe-1" {
		t.Errorf("pillar.get: %v", got)
	}
	if got := h.run(master.Job{Fun: "cp.get_file", Args: []any{"salt://fw.bin", "fw"}, Target: []any{"cpe-1"}, TargetType: "list"}).Load; got.Get("return") != "fw" {
		t.Errorf("cp.get_file: %v", got)
	}
	if i, err := os.Stat(filepath.Join(b.files, "fw")); err != nil || i.Size() != 3<<20 {
		t.Errorf("file: %v, %v", i, err)
	}
	got := h.run(master.Job{Fun: "state.apply", Args: []any{msgpack.KV("__kwarg__", true, "test", true)}, Target: "*"}).Load
	result, _ := got.Get("return").(msgpack.Map).Get("waymark_|-configuration_|-running_|-committed").(msgpack.Map)
	if got.Text("out") != "highstate" || result.Text("comment") != "1 changes would be committed" {
		t.Errorf("state.apply: %v", got)
	}
	got = h.run(master.Job{Fun: []any{"test.ping", "no.such"}, Args: []any{[]any{}, []any{}}, Target: "*"}).Load
	if got.Get("retcode").(msgpack.Map).Get("no.such") != int64(1) || got.Get("success").(msgpack.Map).Get("test.ping") != true {
		t.Errorf("compound: %v", got)
	}
	h.run(master.Job{Fun: "event.send", Args: []any{"waymark/alarm", msgpack.KV("a", 1)}, Target: "*"})
	await(t, "event", h.events, func(e master.Event) bool { return e.Tag == "waymark/alarm" })
	if _, err := h.Publish(master.Job{Fun: "test.ping", Target: "hub-*"}); err != nil {
		t.Fatal(err)
	}
	h.run(master.Job{Fun: "test.ping", Target: "*"})
	select {
	case r := <-h.returns:
		t.Errorf("a job for others came back: %v", r)
	default:
	}
}

// While long jobs take every place, the master still hears about jobs, and can
// end them.
func TestJobsRunTogether(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{})
	newBox(t, h, "cpe-1", k, &pin{}).await(t, minion.Ready)
	var sleeping []string
	for range 20 { // 16 run, 4 wait
		jid, err := h.Publish(master.Job{Fun: "test.sleep", Args: []any{3600}, Target: "*"})
		if err != nil {
			t.Fatal(err)
		}
		sleeping = append(sleeping, jid)
	}
	found := h.run(master.Job{Fun: "saltutil.find_job", Args: []any{sleeping[0]}, Target: "*"}).Load.Get("return").(msgpack.Map)
	if found.Text("jid") != sleeping[0] || found.Text("fun") != "test.sleep" {
		t.Errorf("find_job: %v", found)
	}
	asleep := 0
	for _, j := range h.run(master.Job{Fun: "saltutil.running", Target: "*"}).Load.Get("return").([]any) {
		if j.(msgpack.Map).Text("fun") == "test.sleep" {
			asleep++
		}
	}
	if asleep != 20 {
		t.Errorf("%d jobs sleep", asleep)
	}
	for _, jid := range sleeping {
		h.run(master.Job{Fun: "saltutil.kill_job", Args: []any{jid}, Target: "*"})
	}
	if got := h.run(master.Job{Fun: "test.echo", Args: []any{"free"}, Target: "*"}).Load.Get("return"); got != "free" {
		t.Errorf("after the kill: %v", got)
	}
}

// A master that comes back with new keys of everything but itself.
func TestMasterRestarts(t *testing.T) {
	mk, k, _ := keys(t)
	keep := accepted(t, map[string]*crypt.Private{"cpe-1": k})
	h := newHub(t, mk, keep, "127.0.0.1:0", "127.0.0.1:0", master.Limits{})
	b := newBox(t, h, "cpe-1", k, &pin{})
	b.await(t, minion.Ready)
	req, pub := h.req.Addr().String(), h.pub.Addr().String()
	h.end()
	h2 := newHub(t, mk, keep, req, pub, master.Limits{})
	b.hub = h2
	b.await(t, minion.Ready)
	if got := h2.run(master.Job{Fun: "test.ping", Target: "*"}).Load.Get("return"); got != true {
		t.Errorf("test.ping: %v", got)
	}
	h2.end()
	_, other, _ := keys(t)
	h3 := newHub(t, other, keep, req, pub, master.Limits{}) // somebody else on its address
	until(t, "the stranger in the master's place to be noticed", func() bool { return b.log.count("another key than the pinned one") > 0 })
	if h3.Subscribers() != 0 {
		t.Error("subscribed to a stranger")
	}
}

// A deleted key means new keys for the others, who find out by the next
// publication and obey it all the same.
func TestKeyRotation(t *testing.T) {
	mk, k, k2 := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k, "cpe-2": k2}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{})
	newBox(t, h, "cpe-1", k, &pin{}).await(t, minion.Ready)
	b2 := newBox(t, h, "cpe-2", k2, &pin{})
	b2.await(t, minion.Ready)
	if err := h.Delete("cpe-2"); err != nil {
		t.Fatal(err)
	}
	if got := h.run(master.Job{Fun: "test.ping", Target: "cpe-1"}).Load.Get("return"); got != true {
		t.Errorf("after rotation: %v", got)
	}
	if err := b2.Fire(t.Context(), "x", nil); err == nil {
		t.Error("a deleted minion still speaks")
	}
	if err := h.Delete("cpe-9"); !errors.Is(err, master.ErrUnknown) {
		t.Error(err)
	}
}
