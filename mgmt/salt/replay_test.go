package salt

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/recording"
	"waymark/mgmt/salt/zmtp"
)

// Every recorded exchange, seen from both sides. Whatever has no randomness of
// RSA in it must be made again byte for byte, framing included.

func files(t testing.TB) (out []*recording.File) {
	t.Helper()
	for _, name := range recording.Names {
		f, err := recording.Read("testdata", name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// bench is what an exchange is replayed with.
type bench struct {
	*recording.Exchange
	t      *testing.T
	file   *recording.File
	minion *Identity
	master *Authority
	iv     bytes.Buffer // what both use as random
}

func newBench(t *testing.T, f *recording.File, e *recording.Exchange) *bench {
	b := &bench{Exchange: e, t: t, file: f}
	key, id, alg := f.Minion, f.MinionID, SHA1
	if text := e.Secrets["minion_private_key_pem"]; text != "" {
		var err error
		if key, err = crypt.ParsePrivate([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if e.Channel == "req" {
		_, load, _, err := e.Request()
		if err != nil {
			t.Fatal(err)
		}
		id = load.Text("id")
		if r, err := ParseRequest(e.Payload("c2s")); err != nil {
			t.Fatal(err)
		} else {
			alg = r.Alg
		}
	}
	var err error
	if b.minion, err = NewIdentity(id, key, alg, &b.iv); err != nil {
		t.Fatal(err)
	}
	b.minion.AllowV2 = e.V2()
	b.master = &Authority{f.Master, &b.iv}
	return b
}

func (b *bench) crypticle(name string) *crypt.Crypticle {
	text := b.Secrets[name]
	if text == "" {
		return nil
	}
	c, err := crypt.ParseKeyText(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) session() *Session {
	s := &Session{Publish: b.crypticle("aes"), Private: b.crypticle("session"), Master: &b.file.Master.Public, Port: 4505}
	if w := b.crypticle("wrong"); w != nil {
		s.Private = w
	}
	return s
}

// same fails unless our message is the recorded one.
func (b *bench) same(what, dir string, payload []byte, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Errorf("%s: %v", what, err)
		return
	}
	parts := [][]byte{{}, payload}
	if b.Channel == "pub" {
		parts = parts[1:]
	}
	if got, want := zmtp.Frames(parts...), b.Wire(dir); !bytes.Equal(got, want) {
		b.t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func TestReplay(t *testing.T) {
	for _, f := range files(t) {
		n := 0
		for _, e := range f.Exchanges {
			if e.Handshake() {
				continue // zmtp's tests
			}
			t.Run(f.Name+" "+e.Name, func(t *testing.T) {
				b := newBench(t, f, e)
				_, clear, _, _ := e.Request()
				switch {
				case e.Channel == "pub":
					b.publication()
				case clear.Text("cmd") == "_auth":
					b.auth(clear)
				case clear.Text("cmd") == "_pillar":
					b.pillar()
				default:
					b.request()
				}
			})
			n++
		}
		if want := map[string]int{"3006": 78, "3007": 80}[f.Name]; n != want {
			t.Errorf("%s: %d exchanges replayed, want %d", f.Name, n, want)
		}
	}
}

func (b *bench) publication() {
	load, iv, err := b.Job()
	if err != nil {
		b.t.Fatal(err)
	}
	payload := b.Payload("s2c")
	j, err := b.minion.OpenPublication(b.session(), payload)
	if err != nil {
		b.t.Fatal(err)
	}
	if j.JID != load.Text("jid") || j.Serial < 1 || len(j.Funs) != len(j.Args) {
		b.t.Errorf("job %+v", j)
	}
	b.iv.Write(iv)
	p, err := b.master.NewPublishKey(b.Secrets["aes"])
	if err != nil {
		b.t.Fatal(err)
	}
	env, _ := msgpack.DecodeMap(payload)
	got, err := b.master.Publication(Algorithms{Sig: env.Text("sig_algo")}, p, load)
	if bytes.Contains([]byte(b.Name), []byte("zmq_filtering")) { // a topic stands before the payload
		if err != nil || !bytes.Equal(got, payload) {
			b.t.Errorf("publication: %x, %v", got, err)
		}
	} else {
		b.same("publication", "s2c", got, err)
	}
	b.refusedPublications(payload)
}

func (b *bench) refusedPublications(payload []byte) {
	change := func(key string, value any) []byte {
		env, _ := msgpack.DecodeMap(payload)
		env.Set(key, value)
		out, _ := msgpack.Marshal(env)
		return out
	}
	env, _ := msgpack.DecodeMap(payload)
	flipped := []byte(env.Text("load"))
	flipped[20] ^= 1
	for what, in := range map[string][]byte{
		"other signature": change("sig", env.Text("sig")[:255]+"x"), "no signature": change("sig", nil), "other load": change("load", flipped),
	} {
		if _, err := b.minion.OpenPublication(b.session(), in); !errors.Is(err, crypt.ErrSignature) {
			b.t.Errorf("%s: %v", what, err)
		}
	}
	s := b.session()
	s.Publish, _ = crypt.ParseKeyText(crypt.NewKeyText())
	if _, err := b.minion.OpenPublication(s, payload); !errors.Is(err, crypt.ErrCrypticle) {
		b.t.Errorf("after a change of key: %v", err)
	}
	b.minion.Relaxed = true
	if _, err := b.minion.OpenPublication(b.session(), change("sig", nil)); err != nil {
		b.t.Errorf("unsigned, allowed: %v", err)
	}
}

func (b *bench) request() {
	env, load, iv, err := b.Request()
	if err != nil {
		b.t.Fatal(err)
	}
	nonce := load.Text("nonce")
	ts, _ := load.Int("ts")
	b.iv.Write(iv)
	if b.Name != "refused id-mismatch" && b.Name != "refused bad-tok" { // altered, nothing we would send
		s := b.session()
		if b.V2() {
			s.Private = nil
		}
		got, err := b.minion.Seal(s, load.Without("tok").Without("id"), nonce, time.Unix(ts, 0))
		if err == nil && len(got) != len(b.Payload("c2s")) {
			b.t.Errorf("without tok and id: %d bytes, want %d", len(got), len(b.Payload("c2s")))
		}
		b.iv.Reset()
		b.iv.Write(iv)
		got, err = b.minion.Seal(s, load, nonce, time.Unix(ts, 0))
		b.same("request", "c2s", got, err)
	}
	r, err := ParseRequest(b.Payload("c2s"))
	if err != nil || r.ID != env.Text("id") || r.Clear != nil {
		b.t.Errorf("envelope %+v, %v", r, err)
	}
	b.reply(r, load, nonce)
}

func (b *bench) reply(r *Request, load msgpack.Map, nonce string) {
	key := "session"
	s := b.session()
	if b.V2() {
		key, s.Private = "aes", nil
	}
	value, err := b.minion.Open(s, b.Payload("s2c"), nonce)
	if b.Secrets["wrong"] != "" || bytes.HasPrefix([]byte(b.Name), []byte("refused ")) {
		if !errors.Is(err, ErrRefused) {
			b.t.Errorf("refusal: %v, %v", value, err)
		}
		b.same("refusal", "s2c", Text("bad load"), nil)
		return
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.minion.Open(s, b.Payload("s2c"), NewNonce()); !errors.Is(err, ErrNonce) {
		b.t.Errorf("reply to another question: %v", err)
	}
	got, err := OpenLoad(b.crypticle(key), r.Sealed)
	if err != nil || len(got) != len(load) {
		b.t.Errorf("load %v, %v", got, err)
	}
	sealed, _ := msgpack.Decode(b.Payload("s2c"))
	b.iv.Reset()
	b.iv.WriteString(sealed.(string)[:16])
	reply, err := b.master.Reply(b.crypticle(key), nonce, value)
	b.same("reply", "s2c", reply, err)
}

func (b *bench) pillar() {
	_, load, iv, err := b.Request()
	if err != nil {
		b.t.Fatal(err)
	}
	nonce := load.Text("nonce")
	ts, _ := load.Int("ts")
	s := b.session()
	if b.V2() {
		s.Private = nil
	} else {
		b.iv.Write(iv)
		grains, _ := load.Get("grains").(msgpack.Map)
		got, err := b.minion.Seal(s, b.minion.PillarLoad(grains), nonce, time.Unix(ts, 0))
		b.same("request", "c2s", got, err)
	}
	pillar, err := b.minion.OpenPillar(s, b.Payload("s2c"), nonce)
	if err != nil {
		b.t.Fatal(err)
	}
	waymark, _ := pillar.Get("waymark").(msgpack.Map)
	if waymark.Text("note") != "Grüße" {
		b.t.Errorf("pillar %v", pillar)
	}
	env, _ := msgpack.DecodeMap(b.Payload("s2c"))
	b.iv.Reset()
	b.iv.WriteString(env.Text("pillar")[:16])
	got, err := b.master.pillar(b.minion.Alg, b.crypticle("pillar"), []byte(env.Text("key")), nonce, pillar)
	b.same("pillar", "s2c", got, err)
	b.refusedPillars(s, nonce)
}

func (b *bench) refusedPillars(s *Session, nonce string) {
	if _, err := b.minion.OpenPillar(s, b.Payload("s2c"), NewNonce()); !errors.Is(err, ErrNonce) {
		b.t.Errorf("pillar of another question: %v", err)
	}
	foreign := *s
	foreign.Master = &b.file.Minion.Public
	if _, err := b.minion.OpenPillar(&foreign, b.Payload("s2c"), nonce); !errors.Is(err, crypt.ErrSignature) {
		b.t.Errorf("pillar of another master: %v", err)
	}
	if _, err := b.minion.OpenPillar(s, Text("bad load"), nonce); !errors.Is(err, ErrRefused) {
		b.t.Errorf("refused pillar: %v", err)
	}
	b.master.Random = rand.Reader
	fresh, err := b.master.Pillar(b.minion.Alg, &b.minion.Key.Public, nonce, msgpack.KV("a", 1))
	if err != nil {
		b.t.Fatal(err)
	}
	if p, err := b.minion.OpenPillar(s, fresh, nonce); err != nil || p.Get("a") != int64(1) {
		b.t.Errorf("our own pillar: %v, %v", p, err)
	}
	b.minion.Key = b.file.Master
	if _, err := b.minion.OpenPillar(s, fresh, nonce); err == nil {
		b.t.Error("another minion reads the pillar")
	}
}

func (b *bench) auth(load msgpack.Map) {
	nonce, sealed := load.Text("nonce"), []byte(load.Text("token"))
	if len(sealed) == 0 {
		sealed = nil
	}
	claim := &Claim{nonce: nonce, token: b.TokenPlain()}
	var err error
	claim.Payload, err = b.minion.claimPayload(nonce, sealed)
	if !b.V2() {
		b.same("claim", "c2s", claim.Payload, err)
	}
	pinned := &b.file.Master.Public
	state, s, err := b.minion.OpenAuth(claim, b.Payload("s2c"), pinned)
	want, ok := map[string]State{"auth pending": Pending, "auth pending cpe-3": Pending, "auth rejected": Rejected,
		"auth denied (other key under the same id)": Rejected}[b.Name]
	if err != nil || state != want {
		b.t.Fatalf("%v, %v, want %v", state, err, want)
	}
	if ok {
		got, err := b.master.Refuse(b.minion.Alg, want, nonce)
		b.same("refusal", "s2c", got, err)
	} else {
		b.accepted(load, claim, s)
	}
	b.refusedAnswers(claim)
}

func (b *bench) accepted(load msgpack.Map, claim *Claim, s *Session) {
	if s.Publish.Text() != b.Secrets["aes"] || s.Private.Text() != b.Secrets["session"] && !b.V2() || s.Port != 4505 {
		b.t.Errorf("keys %+v", s)
	}
	r, err := ParseRequest(b.Payload("c2s"))
	if err != nil || r.Clear == nil {
		b.t.Fatal(err)
	}
	p, err := b.master.NewPublishKey(b.Secrets["aes"])
	if err != nil {
		b.t.Fatal(err)
	}
	ours, err := b.master.Accept(r, &b.minion.Key.Public, p, s.Private, 4505)
	if err != nil {
		b.t.Fatal(err)
	}
	if state, again, err := b.minion.OpenAuth(claim, ours, s.Master); err != nil || state != Accepted || again.Private.Text() != s.Private.Text() {
		b.t.Errorf("our answer: %v, %v, %v", state, again, err)
	}
	// But for what OAEP makes random and the signature over it, ours is the recorded answer.
	if got, want := withoutRandom(b.t, ours), withoutRandom(b.t, b.Payload("s2c")); !bytes.Equal(got, want) {
		b.t.Errorf("answer:\n got %q\nwant %q", got, want)
	}
}

func withoutRandom(t *testing.T, answer []byte) []byte {
	env, err := msgpack.DecodeMap(answer)
	if err != nil {
		t.Fatal(err)
	}
	load, err := msgpack.DecodeMap([]byte(env.Text("load")))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"aes", "session", "token"} {
		if v, ok := load.Get(k).(string); ok {
			load.Set(k, len(v))
		}
	}
	env.Set("load", load)
	env.Set("sig", len(env.Text("sig")))
	out, err := msgpack.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refusedAnswers are answers that somebody in the middle could give.
func (b *bench) refusedAnswers(claim *Claim) {
	reply := b.Payload("s2c")
	other := &Claim{nonce: NewNonce(), token: claim.token}
	if _, _, err := b.minion.OpenAuth(other, reply, nil); !errors.Is(err, ErrNonce) {
		b.t.Errorf("answer to another claim: %v", err)
	}
	if _, _, err := b.minion.OpenAuth(claim, reply, &b.file.Minion.Public); !errors.Is(err, ErrMasterKey) {
		b.t.Errorf("another master than the pinned one: %v", err)
	}
	env, _ := msgpack.DecodeMap(reply)
	env.Set("sig", "x")
	forged, _ := msgpack.Marshal(env)
	if _, _, err := b.minion.OpenAuth(claim, forged, &b.file.Master.Public); !errors.Is(err, ErrMasterKey) {
		b.t.Errorf("unsigned: %v", err)
	}
	if _, _, err := b.minion.OpenAuth(claim, BadAlgorithm("bad sig algo"), nil); !errors.Is(err, ErrRefused) {
		b.t.Errorf("bad algorithm: %v", err)
	}
}
