package master

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/recording"
	"waymark/mgmt/salt/zmtp"
)

// replica is our master in the place of the one that was recorded.
type replica struct {
	*Master
	iv     bytes.Buffer
	events []Event
	jobs   []Return
}

func newReplica(t *testing.T, f *recording.File, e *recording.Exchange, load msgpack.Map) *replica {
	t.Helper()
	r := &replica{}
	files := fstest.MapFS{"fw.bin": {Data: firmware()}, "cpe.sls": {Data: []byte(state(t, f))}}
	m, err := New(Config{
		Key: f.Master, Keys: &Memory{}, Files: files, Log: slog.New(slog.DiscardHandler), Limits: Limits{Piece: 1024}, PublishPort: 4505,
		MaxAge: time.Minute, OnReturn: func(x Return) { r.jobs = append(r.jobs, x) }, OnEvent: func(x Event) { r.events = append(r.events, x) },
		Pillar: func(_ context.Context, id, _ string, _ msgpack.Map) (msgpack.Map, error) {
			return msgpack.KV("asked", id), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Master = m
	m.authority.Random = &r.iv
	if _, err := m.cfg.Keys.Update("cpe-1", func(Entry) (Entry, error) {
		return Entry{ID: "cpe-1", Key: f.Minion.Public.PEM(), State: Accepted}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if text := e.Secrets["session"]; text != "" {
		key, err := crypt.ParseKeyText(text)
		if err != nil {
			t.Fatal(err)
		}
		m.sessions["cpe-1"] = session{key, time.Now()}
	}
	ts, _ := load.Int("ts")
	if e.Name == "refused expired" {
		ts += 3600
	}
	m.now = func() time.Time { return time.Unix(ts, 0) }
	return r
}

func firmware() []byte {
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(7*i + 3)
	}
	return b
}

// state is the file cpe.sls as it was served.
func state(t *testing.T, f *recording.File) string {
	e := f.Find("_serve_file cpe.sls loc 0")
	_, load, _, err := e.Request()
	if err != nil {
		t.Fatal(err)
	}
	v := value(t, e, load)
	return v.(msgpack.Map).Text("data")
}

// value is what the recorded master answered.
func value(t *testing.T, e *recording.Exchange, load msgpack.Map) any {
	t.Helper()
	sealed, err := msgpack.Decode(e.Payload("s2c"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := recording.Unseal(e.Secrets["session"], sealed.(string), load.Text("nonce"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every recorded request is answered as the stock master did, framing included,
// byte for byte where nothing but the IV is random.
func TestRecordedRequests(t *testing.T) {
	for _, name := range recording.Names {
		f, err := recording.Read("../testdata", name)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range f.Exchanges {
			if e.Channel != "req" || e.Handshake() {
				continue
			}
			_, load, _, err := e.Request()
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name+" "+e.Name, func(t *testing.T) { replay(t, f, e, load) })
			n++
		}
		if n < 55 {
			t.Errorf("%s: only %d requests", name, n)
		}
	}
}

func replay(t *testing.T, f *recording.File, e *recording.Exchange, load msgpack.Map) {
	r := newReplica(t, f, e, load)
	switch cmd := load.Text("cmd"); {
	case cmd == "_auth":
		r.auth(t, e, load)
	case e.V2(): // we give every minion a key of its own and take nothing less
		r.same(t, e, badLoad, "")
	case strings.HasPrefix(e.Name, "refused "):
		r.same(t, e, e.Payload("s2c"), "")
		if len(r.events) > 0 {
			t.Errorf("an event of a refused request: %v", r.events)
		}
	case cmd == "_pillar":
		r.pillarOf(t, e)
	case cmd == "_file_find" || load.Get("gzip") != nil:
		r.alike(t, e, load)
	default:
		sealed, _ := msgpack.Decode(e.Payload("s2c"))
		r.iv.WriteString(sealed.(string)[:16])
		r.same(t, e, e.Payload("s2c"), "cpe-1")
		r.delivered(t, cmd, load)
	}
}

func (r *replica) same(t *testing.T, e *recording.Exchange, want []byte, wantWho string) {
	t.Helper()
	got, who := r.answer(t.Context(), e.Payload("c2s"), "test")
	if who != wantWho || !bytes.Equal(got, want) {
		t.Errorf("%q:\n got %x\nwant %x", who, got, want)
	}
	if bytes.Equal(want, e.Payload("s2c")) && !bytes.Equal(zmtp.Frames(nil, got), e.Wire("s2c")) {
		t.Error("framing differs")
	}
}

func (r *replica) delivered(t *testing.T, cmd string, load msgpack.Map) {
	switch cmd {
	case "_return":
		if len(r.jobs) != 1 || r.jobs[0].ID != "cpe-1" || r.jobs[0].JID != load.Text("jid") {
			t.Errorf("returns %v", r.jobs)
		}
	case "_minion_event":
		if len(r.events) != 1 || r.events[0].Tag != load.Text("tag") {
			t.Errorf("events %v", r.events)
		}
	}
}

func (r *replica) auth(t *testing.T, e *recording.Exchange, load msgpack.Map) {
	id := load.Text("id")
	set := func(s State) {
		r.cfg.Keys.Update(id, func(x Entry) (Entry, error) {
			if s == "" {
				return Entry{}, nil
			}
			return Entry{ID: id, Key: load.Text("pub"), State: s}, nil
		})
	}
	switch {
	case strings.HasPrefix(e.Name, "auth pending"):
		set("")
		r.same(t, e, e.Payload("s2c"), "")
		r.same(t, e, e.Payload("s2c"), "") // and again
		if x, _ := r.cfg.Keys.Get(id); x.State != Pending || x.Key != load.Text("pub") {
			t.Errorf("stored %+v", x)
		}
	case e.Name == "auth rejected":
		set(Rejected)
		r.same(t, e, e.Payload("s2c"), "")
	case strings.HasPrefix(e.Name, "auth denied"):
		r.same(t, e, e.Payload("s2c"), "")
		if x, _ := r.cfg.Keys.Get(id); x.State != Accepted || x.Rival != load.Text("pub") {
			t.Errorf("stored %+v: both claimants must be there", x)
		}
	default: // accepted: package salt compares the answer
		got, _ := r.answer(t.Context(), e.Payload("c2s"), "test")
		env, err := msgpack.DecodeMap(got)
		if err != nil || len(env.Text("load")) < 1000 || len(r.sessions) != 1 {
			t.Errorf("%d bytes, %v, %d sessions", len(got), err, len(r.sessions))
		}
	}
}

func (r *replica) pillarOf(t *testing.T, e *recording.Exchange) {
	r.iv.Write(make([]byte, 64))
	got, who := r.answer(t.Context(), e.Payload("c2s"), "test")
	env, err := msgpack.DecodeMap(got)
	if err != nil || who != "cpe-1" || len(env.Text("key")) != 256 || env.Text("pillar") == "" || r.Grains("cpe-1").Text("id") != "cpe-1" {
		t.Errorf("%q, %v, %v", who, env, err)
	}
}

// alike compares what need not be the same bytes: where a file lies, and how
// it is packed.
func (r *replica) alike(t *testing.T, e *recording.Exchange, load msgpack.Map) {
	r.iv.Write(make([]byte, 16))
	reply, _ := r.answer(t.Context(), e.Payload("c2s"), "test")
	sealed, _ := msgpack.Decode(reply)
	v, err := recording.Unseal(e.Secrets["session"], sealed.(string), load.Text("nonce"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := v.(msgpack.Map), value(t, e, load).(msgpack.Map)
	for i, p := range want {
		if got[i].Key != p.Key {
			t.Errorf("keys %v, want %v", got, want)
		}
	}
	if stat, ok := want.Get("stat").([]any); ok {
		if got.Get("rel") != want.Get("rel") || got.Get("stat").([]any)[6] != stat[6] {
			t.Errorf("%v, want %v", got, want)
		}
		return
	}
	if !bytes.Equal(unzip(t, got.Text("data")), unzip(t, want.Text("data"))) || got.Text("dest") != want.Text("dest") {
		t.Errorf("other data")
	}
}

func unzip(t *testing.T, s string) []byte {
	r, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A stock publication of every recorded job comes out of Publish's parts.
func TestJIDsGrow(t *testing.T) {
	f, err := recording.Read("../testdata", "3007")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Config{Key: f.Master, Keys: &Memory{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 19, 22, 15, 873509000, time.UTC)
	if a, b := m.nextJID(at), m.nextJID(at); a != "20261120192215873509" || b != "20261120192215873510" {
		t.Errorf("%s, %s", a, b)
	}
	for _, j := range []Job{{Fun: 7, Target: "*"}, {Fun: []any{}, Target: "*"}, {Fun: []any{"a"}, Args: []any{"x"}, Target: "*"}} {
		if jid, err := m.Publish(j); err == nil {
			t.Errorf("%+v published as %s", j, jid)
		}
	}
	if err := m.Accept("none"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func FuzzAnswer(f *testing.F) {
	file, err := recording.Read("../testdata", "3007")
	if err != nil {
		f.Fatal(err)
	}
	m, err := New(Config{Key: file.Master, Keys: &Memory{}, Files: fstest.MapFS{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	key, _ := crypt.ParseKeyText(crypt.NewKeyText())
	m.sessions["cpe-1"] = session{key, time.Now()}
	for _, e := range file.Exchanges {
		if e.Channel == "req" && !e.Handshake() {
			_, load, _, _ := e.Request()
			raw, _ := msgpack.Marshal(load)
			f.Add(raw)
			f.Add(e.Payload("c2s"))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if reply, who := m.answer(t.Context(), in, "test"); reply == nil || who != "" {
			t.Fatalf("%x from %q", reply, who)
		}
		if load, err := msgpack.DecodeMap(in); err == nil { // as if its minion had sealed it
			m.command(t.Context(), "cpe-1", load)
		}
	})
}
