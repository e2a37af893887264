package salt

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// State is what a master answers to a claim.
type State int

// The states. None but Accepted is a reason to go away: an operator may accept
// the key at any time.
const (
	Accepted State = iota
	Pending        // an operator has not decided yet
	Rejected       // refused by an operator, or another key has this id
	Full           // the master has no room
)

func (s State) String() string {
	return [...]string{"accepted", "pending", "rejected", "full"}[s]
}

// Claim is one attempt to authenticate.
type Claim struct {
	Payload []byte // to send in clear
	nonce   string
	token   string // what the master must repeat; "" if its key is unknown
}

// tokenSize in bytes before base64 gives 76 characters, as Salt's has.
const tokenSize = 57

// Claim makes the request that authenticates. With the master's key known it
// has to prove that it can decrypt a token.
func (i *Identity) Claim(nonce string, pinned *crypt.Public) (*Claim, error) {
	c := &Claim{nonce: nonce}
	var sealed []byte
	if pinned != nil {
		raw := make([]byte, tokenSize)
		if _, err := io.ReadFull(i.Random, raw); err != nil {
			return nil, fmt.Errorf("choose token: %w", err)
		}
		c.token = base64.StdEncoding.EncodeToString(raw)
		var err error
		if sealed, err = pinned.Encrypt(i.Alg.Enc, []byte(c.token)); err != nil {
			return nil, err
		}
	}
	var err error
	c.Payload, err = i.claimPayload(nonce, sealed)
	return c, err
}

func (i *Identity) claimPayload(nonce string, sealedToken []byte) ([]byte, error) {
	load := msgpack.KV("cmd", "_auth", "id", i.ID, "nonce", nonce, "enc_algo", i.Alg.Enc, "sig_algo", i.Alg.Sig)
	if sealedToken != nil {
		load.Set("token", sealedToken)
	}
	load.Set("pub", i.Key.Public.PEM())
	return msgpack.Marshal(msgpack.KV("enc", "clear", "load", load, "version", Version3))
}

// OpenAuth reads the master's answer to a claim. With a pinned key every answer
// must be signed by it; without, nothing but an acceptance can be verified,
// which then brings the key to pin (Session.Master).
func (i *Identity) OpenAuth(c *Claim, reply []byte, pinned *crypt.Public) (State, *Session, error) {
	env, err := msgpack.DecodeMap(reply)
	if err != nil {
		return 0, nil, fmt.Errorf("open answer: %w", err)
	}
	raw, ok := env.Get("load").(string)
	if !ok {
		m, _ := env.Get("load").(msgpack.Map)
		return 0, nil, fmt.Errorf("open answer: %w: %.80q", ErrRefused, m.Text("ret"))
	}
	load, err := msgpack.DecodeMap([]byte(raw))
	if err != nil {
		return 0, nil, fmt.Errorf("open answer: %w", err)
	}
	if load.Text("nonce") != c.nonce {
		return 0, nil, fmt.Errorf("open answer: %w", ErrNonce)
	}
	if pinned != nil {
		if err := pinned.Verify(i.Alg.Sig, []byte(raw), []byte(env.Text("sig"))); err != nil {
			return 0, nil, fmt.Errorf("open answer: %w: %w", ErrMasterKey, err)
		}
	}
	if state, done, err := refusal(load); done {
		return state, nil, err
	}
	master, err := i.masterKey(load, raw, env.Text("sig"), pinned)
	if err != nil {
		return 0, nil, fmt.Errorf("open answer: %w", err)
	}
	s, err := i.session(load, master, c.token)
	if err != nil {
		return 0, nil, fmt.Errorf("open answer: %w", err)
	}
	return Accepted, s, nil
}

// refusal reads an answer that is no acceptance.
func refusal(load msgpack.Map) (State, bool, error) {
	ret, there := load.Lookup("ret")
	switch {
	case ret == true:
		return Pending, true, nil
	case ret == false:
		return Rejected, true, nil
	case ret == "full":
		return Full, true, nil
	case there || load.Text("enc") != "pub":
		return 0, true, fmt.Errorf("open answer: %w", ErrMalformed)
	}
	return 0, false, nil
}

// masterKey is the key in an acceptance, after all that can be checked of it.
func (i *Identity) masterKey(load msgpack.Map, raw, sig string, pinned *crypt.Public) (*crypt.Public, error) {
	text := load.Text("pub_key")
	k, err := crypt.ParsePublic(text)
	switch {
	case err != nil:
		return nil, err
	case pinned != nil && !pinned.Equal(k):
		return nil, ErrMasterKey
	case pinned != nil:
		return k, nil
	case i.Finger != "" && !strings.EqualFold(i.Finger, crypt.Fingerprint(k.PEM(), "sha256")):
		return nil, ErrFinger
	}
	if i.Signer != nil {
		s, err := base64.StdEncoding.DecodeString(load.Text("pub_sig"))
		if err != nil || i.Signer.Verify(i.Alg.Sig, []byte(text), s) != nil {
			return nil, fmt.Errorf("master's key: %w", crypt.ErrSignature)
		}
	}
	return k, k.Verify(i.Alg.Sig, []byte(raw), []byte(sig))
}

// session decrypts the keys of an acceptance.
func (i *Identity) session(load msgpack.Map, master *crypt.Public, token string) (*Session, error) {
	aes, err := i.Key.Decrypt(i.Alg.Enc, []byte(load.Text("aes")))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(aes)
	if err := master.VerifyX931([]byte(hex.EncodeToString(sum[:])), []byte(load.Text("sig"))); err != nil {
		return nil, err
	}
	text, echo, mode2 := strings.Cut(string(aes), "_|-") // auth_mode 2
	if !mode2 && token != "" {
		plain, err := i.Key.Decrypt(i.Alg.Enc, []byte(load.Text("token")))
		if err != nil {
			return nil, err
		}
		echo = string(plain)
	}
	if token != "" && subtle.ConstantTimeCompare([]byte(echo), []byte(token)) != 1 {
		return nil, fmt.Errorf("token: %w", ErrNonce)
	}
	s := &Session{Master: master}
	if s.Publish, err = crypt.ParseKeyText(text); err != nil {
		return nil, err
	}
	port, _ := load.Int("publish_port")
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("%w: publish_port %d", ErrMalformed, port)
	}
	s.Port = int(port)
	return s, i.privateKey(s, load)
}

func (i *Identity) privateKey(s *Session, load msgpack.Map) error {
	sealed, ok := load.Lookup("session")
	if !ok {
		if !i.AllowV2 {
			return ErrVersion
		}
		return nil
	}
	text, _ := sealed.(string)
	plain, err := i.Key.Decrypt(i.Alg.Enc, []byte(text))
	if err != nil {
		return err
	}
	s.Private, err = crypt.ParseKeyText(string(plain))
	return err
}
