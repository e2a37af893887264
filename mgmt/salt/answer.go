package salt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// Authority is a master: its key and the random source of its IVs.
type Authority struct {
	Key    *crypt.Private
	Random io.Reader // crypto/rand.Reader except in tests
}

// Request is what came to a master, before anything of it is believed.
type Request struct {
	Clear   msgpack.Map // load in clear, nil if encrypted
	Sealed  []byte
	ID      string // of the envelope; protocol 2 has none
	Version int64
	Alg     Algorithms
}

// ParseRequest reads the envelope of a request.
func ParseRequest(payload []byte) (*Request, error) {
	env, err := msgpack.DecodeMap(payload)
	if err != nil {
		return nil, fmt.Errorf("parse request: %w", err)
	}
	r := &Request{ID: env.Text("id"), Alg: SHA1}
	r.Version, _ = env.Int("version")
	algorithms := env
	switch env.Text("enc") {
	case "clear":
		var ok bool
		if r.Clear, ok = env.Get("load").(msgpack.Map); !ok {
			return nil, fmt.Errorf("parse request: %w: clear load is no map", ErrMalformed)
		}
		algorithms = r.Clear
	case "aes":
		r.Sealed = []byte(env.Text("load"))
	default:
		return nil, fmt.Errorf("parse request: %w: enc", ErrMalformed)
	}
	if a, ok := algorithms.Lookup("enc_algo"); ok {
		r.Alg.Enc, _ = a.(string)
	}
	if a, ok := algorithms.Lookup("sig_algo"); ok {
		r.Alg.Sig, _ = a.(string)
	}
	return r, nil
}

// OpenLoad decrypts the load of a request with the key of the minion that the
// envelope names.
func OpenLoad(c *crypt.Crypticle, sealed []byte) (msgpack.Map, error) {
	v, err := unpack(c, sealed, "")
	if err != nil {
		return nil, err
	}
	m, ok := v.(msgpack.Map)
	if !ok {
		return nil, fmt.Errorf("open load: %w: %T", ErrMalformed, v)
	}
	return m, nil
}

// Reply encrypts the value of a reply.
func (a *Authority) Reply(c *crypt.Crypticle, nonce string, v any) ([]byte, error) {
	sealed, err := pack(c, a.Random, nonce, v)
	if err != nil {
		return nil, err
	}
	return msgpack.Marshal(sealed)
}

// Text is an answer in clear that nothing signs: what failed before there were
// keys.
func Text(s string) []byte {
	out, _ := msgpack.Marshal(s) // text always has a form
	return out
}

// BadAlgorithm is the unsigned answer to a claim whose algorithms are unknown.
func BadAlgorithm(what string) []byte {
	out, _ := msgpack.Marshal(msgpack.KV("enc", "clear", "load", msgpack.KV("ret", what)))
	return out
}

// signed is the answer to a claim.
func (a *Authority) signed(alg string, load msgpack.Map) ([]byte, error) {
	raw, err := msgpack.Marshal(load)
	if err != nil {
		return nil, err
	}
	sig, err := a.Key.Sign(alg, raw)
	if err != nil {
		return nil, err
	}
	return msgpack.Marshal(msgpack.KV("enc", "clear", "load", raw, "sig", sig))
}

// Refuse answers a claim that is not accepted (yet).
func (a *Authority) Refuse(alg Algorithms, s State, nonce string) ([]byte, error) {
	ret := map[State]any{Pending: true, Rejected: false, Full: "full"}[s]
	return a.signed(alg.Sig, msgpack.KV("ret", ret, "nonce", nonce))
}

// PublishKey is the key of publications with its X9.31 signature, which is
// costly and the same for all.
type PublishKey struct {
	*crypt.Crypticle
	sig []byte
}

// NewPublishKey signs a key text.
func (a *Authority) NewPublishKey(text string) (*PublishKey, error) {
	c, err := crypt.ParseKeyText(text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	sig, err := a.Key.SignX931([]byte(hex.EncodeToString(sum[:])))
	if err != nil {
		return nil, err
	}
	return &PublishKey{c, sig}, nil
}

// Accept answers a claim with the keys. Token is as the minion sent it, "" if
// it sent none; one that cannot be decrypted is left out, and the minion then
// takes us for somebody else.
func (a *Authority) Accept(r *Request, minion *crypt.Public, p *PublishKey, session *crypt.Crypticle, port int) ([]byte, error) {
	load := msgpack.KV("enc", "pub", "pub_key", a.Key.Public.PEM(), "publish_port", port)
	seal := func(name, text string) error {
		sealed, err := minion.Encrypt(r.Alg.Enc, []byte(text))
		load.Set(name, sealed)
		return err
	}
	if token, err := a.Key.Decrypt(r.Alg.Enc, []byte(r.Clear.Text("token"))); err == nil {
		if err := seal("token", string(token)); err != nil {
			return nil, err
		}
	}
	if err := seal("aes", p.Text()); err != nil {
		return nil, err
	}
	if err := seal("session", session.Text()); err != nil {
		return nil, err
	}
	load.Set("sig", p.sig)
	load.Set("nonce", r.Clear.Text("nonce"))
	return a.signed(r.Alg.Sig, load)
}

// Pillar answers a _pillar request: a fresh key for the minion alone, and the
// pillar signed together with key and nonce.
func (a *Authority) Pillar(alg Algorithms, minion *crypt.Public, nonce string, pillar msgpack.Map) ([]byte, error) {
	text := crypt.NewKeyText()
	c, err := crypt.ParseKeyText(text)
	if err != nil {
		return nil, err
	}
	key, err := minion.Encrypt(alg.Enc, []byte(text))
	if err != nil {
		return nil, err
	}
	return a.pillar(alg, c, key, nonce, pillar)
}

func (a *Authority) pillar(alg Algorithms, c *crypt.Crypticle, key []byte, nonce string, pillar msgpack.Map) ([]byte, error) {
	data, err := msgpack.Marshal(msgpack.KV("key", key, "pillar", pillar, "nonce", nonce))
	if err != nil {
		return nil, err
	}
	sig, err := a.Key.Sign(alg.Sig, data)
	if err != nil {
		return nil, err
	}
	sealed, err := pack(c, a.Random, "", msgpack.KV("data", data, "sig", sig))
	if err != nil {
		return nil, err
	}
	return msgpack.Marshal(msgpack.KV("key", key, "pillar", sealed))
}

// Publication encrypts and signs a job.
func (a *Authority) Publication(alg Algorithms, p *PublishKey, job msgpack.Map) ([]byte, error) {
	sealed, err := pack(p.Crypticle, a.Random, "", job)
	if err != nil {
		return nil, fmt.Errorf("seal publication: %w", err)
	}
	sig, err := a.Key.Sign(alg.Sig, sealed)
	if err != nil {
		return nil, fmt.Errorf("seal publication: %w", err)
	}
	return msgpack.Marshal(msgpack.KV("enc", "aes", "load", sealed, "sig_algo", alg.Sig, "sig", sig))
}
