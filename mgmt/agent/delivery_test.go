package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/mgmt/box"
	"waymark/mgmt/config/factory"
	"waymark/mgmt/config/life"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/server"
	"waymark/mgmt/uplink/uplinktest"
	"waymark/svr/router/ctl"
)

// boxRig is a box with an agent, and stand-ins for init and the router.
type boxRig struct {
	t       *testing.T
	run     string
	set     Settings
	store   *uplinktest.Conductor
	asked   chan box.Request // of init
	reloads chan struct{}
	seen    int // states that were reported before the last configuration was sent
}

func newBoxRig(t *testing.T) (*boxRig, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	r := &boxRig{t: t, run: t.TempDir(), store: uplinktest.New("box1"), asked: make(chan box.Request, 8), reloads: make(chan struct{}, 8)}
	s := uplinktest.Start(t, "", server.Config{Conductor: r.store, Log: slog.New(slog.DiscardHandler)})
	state := t.TempDir()
	r.set = Settings{RunDir: r.run, StateDir: state, AssetID: "box1", Conductors: nil, NoSalt: true, Root: t.TempDir(),
		ConfigFile: filepath.Join(state, "config/running.json"), RouterFile: filepath.Join(state, "config/router"),
		Log: slog.New(slog.DiscardHandler), Uplink: client.Timing{Spread: 50 * time.Millisecond, Longest: 200 * time.Millisecond, Connect: 2 * time.Second}}
	// The box knows its conductor from the onboarding file, until a configuration names one.
	onboard, err := json.Marshal(map[string]any{"conductor-hosts": []string{s.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(state, "config", OnboardingFile), string(onboard))
	done := make(chan struct{}, 3)
	go func() {
		_ = box.Serve(ctx, r.run, func(_ context.Context, q box.Request) (func(), error) { r.asked <- q; return nil, nil })
		done <- struct{}{}
	}()
	l, err := ctl.Listen(r.run)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		r.router(l)
		done <- struct{}{}
	}()
	go func() {
		if err := Run(ctx, r.set); err != nil {
			t.Error(err)
		}
		done <- struct{}{}
	}()
	t.Cleanup(func() {
		cancel()
		l.Close()
		for range 3 {
			<-done
		}
	})
	return r, ctx
}

// router answers reloads and nothing else.
func (r *boxRig) router(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var req ctl.Request
		enc := json.NewEncoder(c)
		switch {
		case json.NewDecoder(c).Decode(&req) != nil:
		case req.Reload:
			r.reloads <- struct{}{}
			_ = enc.Encode(ctl.Answer{Row: json.RawMessage(`{"class":"free"}`)})
			_ = enc.Encode(ctl.Answer{End: &ctl.End{Rows: 1}})
		case req.Show == "progress":
			_ = enc.Encode(ctl.Answer{Row: json.RawMessage(`{"router":true}`)})
			_ = enc.Encode(ctl.Answer{End: &ctl.End{Rows: 1}})
		default:
			_ = enc.Encode(ctl.Answer{End: &ctl.End{}})
		}
		c.Close()
	}
}

// authority is a configuration whose conductors are named.
func authority(t *testing.T, name string, conductors ...string) []byte {
	t.Helper()
	b, err := factory.Config([]string{"wan0"})
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(`"name": "factory"`), []byte(`"name": "`+name+`"`), 1)
	if len(conductors) > 0 {
		list, err := json.Marshal(conductors)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(b, []byte(`"name": "`+name+`",`), append(append([]byte(`"name": "`+name+`", "conductor-address": `), list...), ','), 1)
	}
	return b
}

// send gives the box a configuration and returns what it says.
func (r *boxRig) send(ctx context.Context, data []byte, change func(*uplink.Config)) *uplink.ConfigState {
	r.t.Helper()
	b, err := r.store.Box(ctx, "box1")
	if err == nil {
		err = r.store.Await(ctx, "box1", func(a *uplinktest.Asset) bool { r.seen = len(a.Config); return true })
	}
	if err != nil {
		r.t.Fatal(err)
	}
	packed, err := uplink.Pack(data)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &uplink.Config{Router: factory.Router, Packed: packed, Confirm: 60}
	if change != nil {
		change(c)
	}
	s, err := b.SendConfig(ctx, c)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// becomes waits for a state that the box reports after what was sent last.
func (r *boxRig) becomes(ctx context.Context, want uplink.ConfigStatus) {
	r.t.Helper()
	var last uplink.ConfigState
	err := r.store.Await(ctx, "box1", func(a *uplinktest.Asset) bool {
		if n := len(a.Config); n > r.seen {
			last = a.Config[n-1]
		}
		return last.Status == want && len(a.Config) > r.seen
	})
	if err != nil {
		r.t.Fatalf("the configuration is %+v, not %s: %v", last, want, err)
	}
}

// A box's configurations: the first, the next, ones that are wrong, one that
// cuts it off, one under a local edit.
func TestDelivery(t *testing.T) {
	r, ctx := newBoxRig(t)
	r.becomes(ctx, uplink.ConfigNone)
	if s := r.send(ctx, []byte(`{"authority":{"name":"x","rooter":1}}`), nil); s.Status != uplink.ConfigInvalid || s.Error == "" {
		t.Errorf("a wrong one: %+v", s)
	}
	if s := r.send(ctx, authority(t, "one"), func(c *uplink.Config) { c.Router = "nobody" }); s.Status != uplink.ConfigInvalid {
		t.Errorf("a router that is not in it: %+v", s)
	}
	if _, err := os.Stat(r.set.ConfigFile); !os.IsNotExist(err) {
		t.Errorf("wrong ones leave a file: %v", err)
	}
	// The first: init starts the router, the box gets through, it stays.
	if s := r.send(ctx, authority(t, "one"), nil); s.Status != uplink.ConfigApplying {
		t.Errorf("the first: %+v", s)
	}
	if q := <-r.asked; q.Do != box.Configure {
		t.Errorf("init is asked for %+v", q)
	}
	r.becomes(ctx, uplink.ConfigInSync)
	if b, err := os.ReadFile(r.set.RouterFile); err != nil || string(b) != factory.Router+"\n" {
		t.Errorf("router %q, %v", b, err)
	}
	// The same again changes nothing; another one is a reload and a version.
	if s := r.send(ctx, authority(t, "one"), nil); s.Status != uplink.ConfigInSync {
		t.Errorf("the same again: %+v", s)
	}
	if s := r.send(ctx, authority(t, "two"), nil); s.Status != uplink.ConfigApplying {
		t.Errorf("the second: %+v", s)
	}
	<-r.reloads
	r.becomes(ctx, uplink.ConfigInSync)
	if _, err := life.Open(r.set.ConfigFile).Pending(); err != life.ErrNoPending {
		t.Errorf("the second waits: %v", err)
	}
	r.cutOff(ctx)
	r.edited(ctx)
	if a, err := life.Open(r.set.ConfigFile).Versions(); err != nil || len(a) < 2 {
		t.Errorf("versions %v, %v", a, err)
	}
}

// cutOff: a configuration names a conductor that is none. The router's keeper
// takes it back, and the box says so.
func (r *boxRig) cutOff(ctx context.Context) {
	t := r.t
	t.Helper()
	k := &life.Keeper{Store: life.Open(r.set.ConfigFile), Log: slog.New(slog.DiscardHandler), Undone: func() {}}
	keeping, stop := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		k.Run(keeping)
		close(kept)
	}()
	defer func() { stop(); <-kept }()
	if s := r.send(ctx, authority(t, "three", "nobody.invalid"), func(c *uplink.Config) { c.Confirm = 5 }); s.Status != uplink.ConfigApplying {
		t.Errorf("one that cuts off: %+v", s)
	}
	<-r.reloads
	r.becomes(ctx, uplink.ConfigRolledBack)
	if b, err := os.ReadFile(r.set.ConfigFile); err != nil || !bytes.Contains(b, []byte(`"two"`)) {
		t.Errorf("after it came back: %s, %v", b, err)
	}
	// A conductor that has not heard of it sends it again: once is enough.
	s := r.send(ctx, authority(t, "three", "nobody.invalid"), nil)
	if s.Status != uplink.ConfigRolledBack || s.Error == "" || len(r.reloads) > 0 {
		t.Errorf("the same again: %+v, %d reloads", s, len(r.reloads))
	}
}

// edited: what was edited here is not overwritten unless that is meant.
func (r *boxRig) edited(ctx context.Context) {
	t := r.t
	t.Helper()
	if s := r.send(ctx, authority(t, "four"), nil); s.Status != uplink.ConfigApplying {
		t.Errorf("after one that came back: %+v", s)
	}
	<-r.reloads
	r.becomes(ctx, uplink.ConfigInSync)
	if err := os.WriteFile(r.set.ConfigFile, authority(t, "edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.becomes(ctx, uplink.ConfigOutOfSync)
	if s := r.send(ctx, authority(t, "five"), nil); s.Status != uplink.ConfigOutOfSync {
		t.Errorf("over an edit: %+v", s)
	}
	if b, err := os.ReadFile(r.set.ConfigFile); err != nil || !bytes.Contains(b, []byte(`"edited"`)) {
		t.Errorf("the edit is gone: %s, %v", b, err)
	}
	if s := r.send(ctx, authority(t, "five"), func(c *uplink.Config) { c.Replace = true }); s.Status != uplink.ConfigApplying {
		t.Errorf("over an edit, meant: %+v", s)
	}
	<-r.reloads
	r.becomes(ctx, uplink.ConfigInSync)
}

// The first configuration of a box that does not get through with it goes, and
// the box is as from the factory.
func TestFirstCutsOff(t *testing.T) {
	r, ctx := newBoxRig(t)
	if s := r.send(ctx, authority(t, "one", "nobody.invalid"), func(c *uplink.Config) { c.Confirm = 4 }); s.Status != uplink.ConfigApplying {
		t.Errorf("it is %+v", s)
	}
	for range 2 { // there and back
		if q := <-r.asked; q.Do != box.Configure {
			t.Errorf("init is asked for %+v", q)
		}
	}
	r.becomes(ctx, uplink.ConfigRolledBack)
	for _, name := range []string{r.set.ConfigFile, r.set.RouterFile} {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}
