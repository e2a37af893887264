package salt

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// pair is a minion and a master of ours, with the keys of a recording.
func pair(t testing.TB) (*Identity, *Authority, *PublishKey, *crypt.Crypticle) {
	t.Helper()
	f := files(t)[0]
	i, err := NewIdentity("cpe-1", f.Minion, SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authority{f.Master, rand.Reader}
	p, err := a.NewPublishKey(crypt.NewKeyText())
	if err != nil {
		t.Fatal(err)
	}
	c, err := crypt.ParseKeyText(crypt.NewKeyText())
	if err != nil {
		t.Fatal(err)
	}
	return i, a, p, c
}

// answer is the master's acceptance of a claim, changed before it is signed.
func answer(t *testing.T, i *Identity, a *Authority, p *PublishKey, s *crypt.Crypticle, c *Claim, change func(*msgpack.Map)) []byte {
	t.Helper()
	r, err := ParseRequest(c.Payload)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := a.Accept(r, &i.Key.Public, p, s, 4505)
	if err != nil {
		t.Fatal(err)
	}
	env, _ := msgpack.DecodeMap(whole)
	load, _ := msgpack.DecodeMap([]byte(env.Text("load")))
	change(&load)
	out, err := a.signed(i.Alg.Sig, load)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFirstContact(t *testing.T) {
	i, a, p, s := pair(t)
	stranger := files(t)[1].Master
	finger := crypt.Fingerprint(a.Key.Public.PEM(), "sha256")
	sign := func(text string) string {
		sig, _ := stranger.Sign(crypt.PKCSSHA1, []byte(text))
		return base64.StdEncoding.EncodeToString(sig)
	}
	nothing := func(*msgpack.Map) {}
	for name, tt := range map[string]struct {
		demand func(i *Identity)
		change func(*msgpack.Map)
		want   error
	}{
		"any key":           {func(*Identity) {}, nothing, nil},
		"fingerprint":       {func(i *Identity) { i.Finger = finger }, nothing, nil},
		"other fingerprint": {func(i *Identity) { i.Finger = "00:" + finger[3:] }, nothing, ErrFinger},
		"signed key": {func(i *Identity) { i.Signer = &stranger.Public }, func(m *msgpack.Map) {
			m.Set("pub_sig", sign(m.Text("pub_key")))
		}, nil},
		"key signed by another": {func(i *Identity) { i.Signer = &a.Key.Public }, func(m *msgpack.Map) {
			m.Set("pub_sig", sign(m.Text("pub_key")))
		}, crypt.ErrSignature},
		"key not signed":         {func(i *Identity) { i.Signer = &stranger.Public }, nothing, crypt.ErrSignature},
		"protocol 2":             {func(*Identity) {}, func(m *msgpack.Map) { *m = m.Without("session") }, ErrVersion},
		"protocol 2, allowed":    {func(i *Identity) { i.AllowV2 = true }, func(m *msgpack.Map) { *m = m.Without("session") }, nil},
		"no key":                 {func(*Identity) {}, func(m *msgpack.Map) { *m = m.Without("pub_key") }, crypt.ErrKey},
		"somebody else's key":    {func(*Identity) {}, func(m *msgpack.Map) { m.Set("pub_key", stranger.Public.PEM()) }, crypt.ErrSignature},
		"inner signature":        {func(*Identity) {}, func(m *msgpack.Map) { m.Set("sig", "x") }, crypt.ErrSignature},
		"port":                   {func(*Identity) {}, func(m *msgpack.Map) { m.Set("publish_port", 70000) }, ErrMalformed},
		"neither ret nor keys":   {func(*Identity) {}, func(m *msgpack.Map) { *m = m.Without("enc") }, ErrMalformed},
		"a ret that nobody says": {func(*Identity) {}, func(m *msgpack.Map) { m.Set("ret", "perhaps") }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			who := *i
			tt.demand(&who)
			c, err := who.Claim(NewNonce(), nil)
			if err != nil {
				t.Fatal(err)
			}
			state, got, err := who.OpenAuth(c, answer(t, i, a, p, s, c, tt.change), nil)
			if !errors.Is(err, tt.want) || err == nil && (state != Accepted || !got.Master.Equal(&a.Key.Public)) {
				t.Errorf("%v, %v, want %v", state, err, tt.want)
			}
		})
	}
}

// A master whose key is known proves that it can decrypt our token.
func TestTokenProvesTheMaster(t *testing.T) {
	i, a, p, s := pair(t)
	c, err := i.Claim(NewNonce(), &a.Key.Public)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.token) != 76 {
		t.Errorf("token of %d characters", len(c.token))
	}
	mode2 := func(token string) func(*msgpack.Map) {
		return func(m *msgpack.Map) {
			text := crypt.NewKeyText() + "_|-" + token
			sum := sha256.Sum256([]byte(text))
			both, err := a.Key.SignX931([]byte(hex.EncodeToString(sum[:])))
			if err != nil {
				t.Fatal(err)
			}
			aes, _ := i.Key.Public.Encrypt(i.Alg.Enc, []byte(text))
			m.Set("aes", aes)
			m.Set("sig", both)
			*m = m.Without("token")
		}
	}
	for name, tt := range map[string]struct {
		change func(*msgpack.Map)
		ok     bool
	}{
		"echo":                  {func(*msgpack.Map) {}, true},
		"no echo":               {func(m *msgpack.Map) { *m = m.Without("token") }, false},
		"echo of another token": {func(m *msgpack.Map) { m.Set("token", m.Text("aes")) }, false},
		"auth_mode 2":           {mode2(c.token), true},
		"auth_mode 2, other":    {mode2("other"), false},
	} {
		state, _, err := i.OpenAuth(c, answer(t, i, a, p, s, c, tt.change), &a.Key.Public)
		if (err == nil) != tt.ok || tt.ok && state != Accepted {
			t.Errorf("%s: %v, %v", name, state, err)
		}
	}
}

func TestStates(t *testing.T) {
	i, a, _, _ := pair(t)
	for _, want := range []State{Pending, Rejected, Full} {
		c, _ := i.Claim(NewNonce(), nil)
		out, err := a.Refuse(i.Alg, want, c.nonce)
		if err != nil {
			t.Fatal(err)
		}
		for _, pinned := range []*crypt.Public{nil, &a.Key.Public} {
			if got, s, err := i.OpenAuth(c, out, pinned); got != want || s != nil || err != nil {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"cpe-1": true, "wm-0a:1b": true, "a.b_c@d": true, "": false, ".": false, "..": false, ".hidden": false,
		"a/b": false, `a\b`: false, "a b": false, "a\x00": false, "ü": false, string(bytes.Repeat([]byte("a"), 129)): false,
	} {
		if got := ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
	if _, err := NewIdentity("../x", files(t)[0].Minion, SHA1, rand.Reader); !errors.Is(err, ErrID) {
		t.Error(err)
	}
}

func TestJobs(t *testing.T) {
	good := func() msgpack.Map { return msgpack.KV("fun", "test.ping", "arg", []any{}, "tgt", "*", "jid", "1") }
	with := func(k string, v any) msgpack.Map { m := good(); m.Set(k, v); return m }
	if j, err := ParseJob(good()); err != nil || j.Compound() {
		t.Fatal(j, err)
	} else if tgt, kind, delimiter := j.Target(); tgt != "*" || kind != "glob" || delimiter != ":" {
		t.Error(tgt, kind, delimiter)
	}
	many := make([]any, 17)
	for n := range many {
		many[n] = []any{}
	}
	for name, m := range map[string]msgpack.Map{
		"no jid": good().Without("jid"), "jid is no text": with("jid", 5), "jid with newline": with("jid", "1\n"),
		"no fun": good().Without("fun"), "fun is a number": with("fun", 7), "no functions": with("fun", []any{}),
		"lists do not fit": with("fun", []any{"a", "b"}), "fun in a list is no text": {{Key: "jid", Value: "1"}, {Key: "fun", Value: []any{1}}, {Key: "arg", Value: []any{[]any{}}}},
		"too many": {{Key: "jid", Value: "1"}, {Key: "fun", Value: many}, {Key: "arg", Value: many}},
	} {
		if j, err := ParseJob(m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
}

// The parsers behind the keys, with what a peer that has the keys could send.

func FuzzOpenAuth(f *testing.F) {
	i, a, p, s := pair(f)
	i.AllowV2 = true
	c, err := i.Claim(NewNonce(), nil)
	if err != nil {
		f.Fatal(err)
	}
	r, _ := ParseRequest(c.Payload)
	whole, _ := a.Accept(r, &i.Key.Public, p, s, 4505)
	env, _ := msgpack.DecodeMap(whole)
	f.Add(whole)
	f.Add([]byte("\x82\xa3ret\xc3\xa5nonce\xa0"))
	f.Add([]byte(env.Text("load")))
	f.Add(BadAlgorithm("bad sig algo"))
	f.Fuzz(func(t *testing.T, in []byte) {
		i.OpenAuth(c, in, &a.Key.Public)
		outer, _ := msgpack.Marshal(msgpack.KV("enc", "clear", "load", in, "sig", ""))
		if state, s, err := i.OpenAuth(c, outer, nil); err == nil && (state == Accepted) != (s != nil) {
			t.Fatalf("%v with session %v", state, s)
		}
		if load, err := msgpack.DecodeMap(in); err == nil { // what a signature would have let pass
			i.session(load, &a.Key.Public, "")
		}
	})
}

func FuzzSealed(f *testing.F) {
	i, a, p, private := pair(f)
	s := &Session{Publish: p.Crypticle, Private: private, Master: &a.Key.Public, Port: 1}
	i.Relaxed = true // a signature for each try would take most of the time
	for _, e := range files(f)[1].Exchanges {
		if e.Channel == "pub" && !e.Handshake() {
			m, _, _ := e.Job()
			raw, _ := msgpack.Marshal(m)
			f.Add(append([]byte(prefix), raw...))
		}
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed, _ := p.Encrypt(rand.Reader, plain)
		payload, _ := msgpack.Marshal(msgpack.KV("enc", "aes", "load", sealed))
		if j, err := i.OpenPublication(s, payload); err == nil {
			outcomes := make([]Outcome, len(j.Funs))
			if _, err := i.Seal(s, i.ReturnLoad(j, outcomes, time.Unix(0, 0)), NewNonce(), time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			j.Info(1)
			j.Pub()
			j.Target()
		}
		sealed, _ = private.Encrypt(rand.Reader, plain)
		reply, _ := msgpack.Marshal(sealed)
		i.Open(s, reply, "")
		OpenLoad(private, sealed)
		i.OpenPillar(s, plain, "")
	})
}

func FuzzParseRequest(f *testing.F) {
	for _, e := range files(f)[1].Exchanges {
		if e.Channel == "req" && !e.Handshake() {
			f.Add(e.Payload("c2s"))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if r, err := ParseRequest(in); err == nil && r.Clear != nil && r.Sealed != nil {
			t.Fatalf("both clear and sealed: %+v", r)
		}
	})
}
