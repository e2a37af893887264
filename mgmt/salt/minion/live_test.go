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
	"waymark/mgmt/salt/zmtp"
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
		Pillar: func(_ context.Context, id string, _ msgpack.Map) (msgpack.Map, error) {
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
	b := &box{states: make(chan minion.State, 256), log: &lines{}, files: t.TempDir()}
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

const patience = 20 * time.Second

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

func (b *box) await(t *testing.T, want minion.State) {
	t.Helper()
	await(t, string(want), b.states, func(s minion.State) bool { return s == want })
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
	b.await(t, minion.Ready)
	if got := h2.run(master.Job{Fun: "test.ping", Target: "*"}).Load.Get("return"); got != true {
		t.Errorf("test.ping: %v", got)
	}
	h2.end()
	_, other, _ := keys(t)
	h3 := newHub(t, other, keep, req, pub, master.Limits{}) // somebody else on its address
	deadline := time.Now().Add(patience)
	for b.log.count("another key than the pinned one") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("a stranger in the master's place was not noticed")
		}
		time.Sleep(10 * time.Millisecond)
	}
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

// ask sends one payload as a client of any kind.
func ask(t *testing.T, h *hub, payload []byte) string {
	t.Helper()
	c, err := net.Dial("tcp", h.req.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.REQ, Max: 1 << 20, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.WriteMessage(nil, payload); err != nil {
		t.Fatal(err)
	}
	m, err := z.ReadMessage()
	if err != nil {
		return ""
	}
	return string(m.Parts[1])
}

// claim makes an identity and its session at a hub.
func claim(t *testing.T, h *hub, id string, k *crypt.Private) (*salt.Identity, *salt.Session, error) {
	t.Helper()
	who, err := salt.NewIdentity(id, k, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := who.Claim(salt.NewNonce(), nil)
	if err != nil {
		t.Fatal(err)
	}
	state, s, err := who.OpenAuth(c, []byte(ask(t, h, c.Payload)), nil)
	if err == nil && state != salt.Accepted {
		err = errors.New(state.String())
	}
	return who, s, err
}

// Row 7: nobody gets in.
func TestNobodyGetsIn(t *testing.T) {
	mk, k, k2 := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{Pending: 2})
	if _, _, err := claim(t, h, "cpe-1", k2); err == nil || err.Error() != "rejected" {
		t.Errorf("another key under a known id: %v", err)
	}
	for n, want := range map[int]string{0: "pending", 1: "pending"} {
		if _, _, err := claim(t, h, fmt.Sprintf("new-%d", n), k2); err == nil || err.Error() != want {
			t.Errorf("unknown key: %v", err)
		}
	}
	if _, _, err := claim(t, h, "new-3", k2); err == nil || err.Error() != "full" {
		t.Errorf("one unknown key too many: %v", err)
	}
	who, s, err := claim(t, h, "cpe-1", k)
	if err != nil {
		t.Fatal(err)
	}
	nonce := salt.NewNonce()
	for what, load := range map[string]msgpack.Map{
		"another's pillar":   append(msgpack.KV("id", "cpe-2"), who.PillarLoad(msgpack.Map{}).Without("id")...),
		"unknown command":    msgpack.KV("cmd", "wheel"),
		"publish":            msgpack.KV("cmd", "minion_pub", "fun", "test.ping", "tgt", "*"),
		"path up":            salt.ServeLoad("../../etc/shadow", "base", 0),
		"absolute path":      salt.HashLoad("/etc/shadow", "base"),
		"path through a dot": salt.HashLoad("a/./b", "base"),
		"negative place":     salt.ServeLoad("fw.bin", "base", -1),
	} {
		sealed, err := who.Seal(s, load, nonce, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if what == "another's pillar" { // Seal puts our own id over it: seal by hand
			env := msgpack.KV("cmd", "_pillar", "id", "cpe-2", "grains", msgpack.Map{}, "nonce", nonce)
			raw, _ := msgpack.Encode([]byte("pickle::"), env)
			c, _ := s.Private.Encrypt(rand.Reader, raw)
			sealed, _ = msgpack.Marshal(msgpack.KV("enc", "aes", "load", c, "version", 3, "id", "cpe-1"))
		}
		if got := ask(t, h, sealed); got != "\xa8bad load" {
			t.Errorf("%s: %.60q", what, got)
		}
	}
	sealed, _ := who.Seal(s, who.PillarLoad(msgpack.Map{}), nonce, time.Now())
	if p, err := who.OpenPillar(s, []byte(ask(t, h, sealed)), nonce); err != nil || p.Text("secret") != "of cpe-1" {
		t.Errorf("one's own pillar: %v, %v", p, err)
	}
	for what, raw := range map[string]string{"nothing": "", "no map": "\xc0", "other cmd in clear": "\x82\xa3enc\xa5clear\xa4load\x81\xa3cmd\xa4ping", "not sealed": "\x82\xa3enc\xa3aes\xa4load\xa1x"} {
		if got := ask(t, h, []byte(raw)); got != "\xa8bad load" {
			t.Errorf("%s: %q", what, got)
		}
	}
	if got := ask(t, h, make([]byte, 17<<10)); got != "" {
		t.Errorf("a large request of a stranger was answered: %.60q", got)
	}
	if n := h.log.count("frame larger than allowed"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// 1,000 half-open connections on each port, and strangers that announce much.
func TestHalfOpen(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{HalfOpen: 100, Conns: 200, Handshake: patience})
	b := newBox(t, h, "cpe-1", k, &pin{})
	b.await(t, minion.Ready)
	for _, l := range []net.Listener{h.req, h.pub} {
		for n := range 1000 {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if n%3 == 0 {
				c.Write([]byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03"))
			}
		}
	}
	if got := h.run(master.Job{Fun: "test.ping", Target: "*"}).Load.Get("return"); got != true {
		t.Errorf("test.ping: %v", got)
	}
	if _, _, err := claim(t, h, "cpe-1", k); err != nil { // a new connection gets in too
		t.Error(err)
	}
	for _, port := range []string{"requests", "publications"} {
		if n := h.log.count("what=\"half-open connection to " + port); n != 1 {
			t.Errorf("%s: half-open connections logged %d times", port, n)
		}
		gone := func() int { return h.Refused()["half-open connection to "+port] }
		for limit := time.Now().Add(patience); gone() < 890 && time.Now().Before(limit); {
			time.Sleep(10 * time.Millisecond) // what waits to be accepted
		}
		if n := gone(); n < 890 || n > 1000 {
			t.Errorf("%s: %d half-open connections gave way", port, n)
		}
	}
}

// A subscriber that does not read is cut off; the others go on.
func TestSlowSubscriber(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{Queue: 2})
	newBox(t, h, "cpe-1", k, &pin{}).await(t, minion.Ready)
	c, err := net.Dial("tcp", h.pub.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.SUB, Max: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Subscribe(""); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for cut := false; !cut; cut = h.Refused()["subscriber"] > 0 {
		if time.Now().After(deadline) {
			t.Fatal("never cut off")
		}
		if got := h.run(master.Job{Fun: "test.echo", Args: []any{strings.Repeat("x", 200<<10)}, Target: "cpe-1"}).Load.Get("retcode"); got != int64(0) {
			t.Fatal(got)
		}
	}
}
