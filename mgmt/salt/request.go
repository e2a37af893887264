package salt

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// NewNonce is 32 hexadecimal digits; a reply must repeat it.
func NewNonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// pack encrypts a value behind the prefix; a reply has its nonce between them.
func pack(c *crypt.Crypticle, random io.Reader, nonce string, v any) ([]byte, error) {
	plain, err := msgpack.Encode([]byte(prefix+nonce), v)
	if err != nil {
		return nil, err
	}
	return c.Encrypt(random, plain)
}

// unpack is the reverse of pack.
func unpack(c *crypt.Crypticle, in []byte, nonce string) (any, error) {
	plain, err := c.Decrypt(in)
	if err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(string(plain), prefix)
	if !ok {
		return nil, fmt.Errorf("%w: no prefix", ErrMalformed)
	}
	rest, ok = strings.CutPrefix(rest, nonce)
	if !ok {
		return nil, ErrNonce
	}
	return msgpack.Decode([]byte(rest))
}

// Seal makes the payload of a request. What the protocol needs is added to the
// load the way Salt does: behind what is there, nothing twice.
func (i *Identity) Seal(s *Session, load msgpack.Map, nonce string, now time.Time) ([]byte, error) {
	load = append(msgpack.Map(nil), load...)
	load.Set("nonce", nonce)
	if s.Private != nil {
		load.Set("ts", now.Unix())
	}
	load.Set("tok", i.tok)
	load.Set("id", i.ID)
	sealed, err := pack(s.requests(), i.Random, "", load)
	if err != nil {
		return nil, fmt.Errorf("seal request: %w", err)
	}
	env := msgpack.KV("enc", "aes", "load", sealed, "version", Version3, "id", i.ID, "enc_algo", i.Alg.Enc, "sig_algo", i.Alg.Sig)
	if s.Private == nil {
		env = msgpack.KV("enc", "aes", "enc_algo", i.Alg.Enc, "load", sealed, "sig_algo", i.Alg.Sig, "version", Version2)
	}
	return msgpack.Marshal(env)
}

// Open reads the reply to a request.
func (i *Identity) Open(s *Session, reply []byte, nonce string) (any, error) {
	v, err := msgpack.Decode(reply)
	if err != nil {
		return nil, fmt.Errorf("open reply: %w", err)
	}
	text, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("open reply: %w: %T", ErrMalformed, v)
	}
	v, err = unpack(s.requests(), []byte(text), nonce)
	if err != nil && len(text) < 200 && isPrintable(text) {
		return nil, fmt.Errorf("open reply: %w: %q", ErrRefused, text)
	}
	if err != nil {
		return nil, fmt.Errorf("open reply: %w", err)
	}
	return v, nil
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// OpenPillar reads the reply to a _pillar request, which is encrypted with a key
// of its own and signed.
func (i *Identity) OpenPillar(s *Session, reply []byte, nonce string) (msgpack.Map, error) {
	env, err := msgpack.DecodeMap(reply)
	if err != nil {
		if v, err := i.Open(s, reply, nonce); err == nil {
			return nil, fmt.Errorf("open pillar: %w: %.60v", ErrMalformed, v)
		} else {
			return nil, fmt.Errorf("open pillar: %w", err)
		}
	}
	key, err := i.Key.Decrypt(i.Alg.Enc, []byte(env.Text("key")))
	if err != nil {
		return nil, fmt.Errorf("open pillar: %w", err)
	}
	c, err := crypt.ParseKeyText(string(key))
	if err != nil {
		return nil, fmt.Errorf("open pillar: %w", err)
	}
	v, err := unpack(c, []byte(env.Text("pillar")), "")
	if err != nil {
		return nil, fmt.Errorf("open pillar: %w", err)
	}
	signed, _ := v.(msgpack.Map)
	data := []byte(signed.Text("data"))
	if err := s.Master.Verify(i.Alg.Sig, data, []byte(signed.Text("sig"))); err != nil {
		return nil, fmt.Errorf("open pillar: %w", err)
	}
	return pillarData(data, env.Text("key"), nonce)
}

func pillarData(data []byte, key, nonce string) (msgpack.Map, error) {
	m, err := msgpack.DecodeMap(data)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open pillar: %w", err)
	case m.Text("key") != key, m.Text("nonce") != nonce:
		return nil, fmt.Errorf("open pillar: %w", ErrNonce)
	}
	pillar, ok := m.Get("pillar").(msgpack.Map)
	if !ok {
		return nil, fmt.Errorf("open pillar: %w: pillar is %T", ErrMalformed, m.Get("pillar"))
	}
	return pillar, nil
}

// EventLoad is the request that fires an event on the master's bus.
func (i *Identity) EventLoad(tag string, data any) msgpack.Map {
	return msgpack.KV("id", i.ID, "cmd", "_minion_event", "pretag", nil, "tok", i.tok, "data", data, "tag", tag)
}

// PillarLoad asks for the pillar and fills the master's cache of our grains.
func (i *Identity) PillarLoad(grains msgpack.Map) msgpack.Map {
	return msgpack.KV("id", i.ID, "grains", grains, "saltenv", nil, "pillarenv", nil, "pillar_override", msgpack.Map{},
		"extra_minion_data", msgpack.Map{}, "ver", "2", "cmd", "_pillar")
}

// HashLoad asks for the hash of a file.
func HashLoad(path, env string) msgpack.Map {
	return msgpack.KV("path", path, "saltenv", env, "cmd", "_file_hash")
}

// ServeLoad asks for a piece of a file; no data is the end.
func ServeLoad(path, env string, at int64) msgpack.Map {
	return msgpack.KV("path", path, "saltenv", env, "cmd", "_serve_file", "loc", at)
}
