// Package recording reads the exchanges that were recorded between stock Salt
// masters and minions (mgmt/salt/testdata), for the tests of the packages that
// replay them.
package recording

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// Names of the recordings.
var Names = []string{"3006", "3007"}

// File is one recording.
type File struct {
	Name           string
	Version        string `json:"salt_version"`
	MasterPEM      string `json:"master_private_key_pem"`
	MinionPEM      string `json:"minion_private_key_pem"`
	MinionID       string `json:"minion_id"`
	Exchanges      []*Exchange
	Master, Minion *crypt.Private
}

// Exchange is one request and its reply, one publication, or one handshake.
type Exchange struct {
	Name, Channel, Source string
	Frames                []Frame
	Secrets               map[string]string
	Decoded               json.RawMessage
}

// Frame is what one side sent.
type Frame struct{ Dir, Kind, Hex string }

// Read reads a recording; dir is mgmt/salt/testdata as seen by the test.
func Read(dir, name string) (*File, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "salt-"+name+".json"))
	if err != nil {
		return nil, err
	}
	f := &File{Name: name}
	if err := json.Unmarshal(raw, f); err != nil {
		return nil, fmt.Errorf("parse recording %s: %w", name, err)
	}
	if f.Master, err = crypt.ParsePrivate([]byte(f.MasterPEM)); err != nil {
		return nil, err
	}
	f.Minion, err = crypt.ParsePrivate([]byte(f.MinionPEM))
	return f, err
}

// Find returns the exchange of a name; nil if there is none.
func (f *File) Find(name string) *Exchange {
	for _, e := range f.Exchanges {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// V2 tells an exchange of protocol 2.
func (e *Exchange) V2() bool { return strings.HasSuffix(e.Name, " v2") }

// Handshake tells an exchange of greetings alone.
func (e *Exchange) Handshake() bool { return e.Frames[0].Kind == "greeting" }

// Wire is what side dir ("c2s", "s2c") sent, framing included.
func (e *Exchange) Wire(dir string) []byte {
	var out []byte
	for _, f := range e.Frames {
		if f.Dir == dir {
			b, err := hex.DecodeString(f.Hex)
			if err != nil {
				return nil
			}
			out = append(out, b...)
		}
	}
	return out
}

// Payload is the last frame of the message that side dir sent.
func (e *Exchange) Payload(dir string) []byte {
	b := e.Wire(dir)
	for len(b) > 2 {
		long, more := b[0]&2 != 0, b[0]&1 != 0
		head, size := 2, int(b[1])
		if long {
			head, size = 9, int(b[5])<<24|int(b[6])<<16|int(b[7])<<8|int(b[8])
		}
		if !more {
			return b[head : head+size]
		}
		b = b[head+size:]
	}
	return nil
}

// Request is the decrypted load of a request and its envelope.
func (e *Exchange) Request() (env, load msgpack.Map, iv []byte, err error) {
	if env, err = msgpack.DecodeMap(e.Payload("c2s")); err != nil {
		return nil, nil, nil, err
	}
	if clear, ok := env.Get("load").(msgpack.Map); ok {
		return env, clear, nil, nil
	}
	key := "session"
	if e.Secrets["wrong"] != "" {
		key = "wrong"
	} else if e.V2() {
		key = "aes"
	}
	sealed := env.Text("load")
	v, err := Unseal(e.Secrets[key], sealed, "")
	load, _ = v.(msgpack.Map)
	return env, load, []byte(sealed[:16]), err
}

// Job is the decrypted load of a publication.
func (e *Exchange) Job() (load msgpack.Map, iv []byte, err error) {
	env, err := msgpack.DecodeMap(e.Payload("s2c"))
	if err != nil {
		return nil, nil, err
	}
	sealed := env.Text("load")
	v, err := Unseal(e.Secrets["aes"], sealed, "")
	load, _ = v.(msgpack.Map)
	return load, []byte(sealed[:16]), err
}

// Unseal decrypts a crypticle and takes the prefix and nonce away.
func Unseal(key, sealed, nonce string) (any, error) {
	c, err := crypt.ParseKeyText(key)
	if err != nil {
		return nil, err
	}
	plain, err := c.Decrypt([]byte(sealed))
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(plain, []byte("pickle::"+nonce))
	if !ok {
		return nil, fmt.Errorf("no prefix or nonce in %.60q", plain)
	}
	return msgpack.Decode(rest)
}

// TokenPlain is the token of a claim in clear, "" if it has none.
func (e *Exchange) TokenPlain() string {
	var d struct {
		Request struct {
			Token string `json:"token_plain"`
		}
	}
	if json.Unmarshal(e.Decoded, &d) != nil {
		return ""
	}
	return d.Request.Token
}

// TokenBytes are the random bytes that a token was made of.
func (e *Exchange) TokenBytes() []byte {
	b, err := base64.StdEncoding.DecodeString(e.TokenPlain())
	if err != nil {
		return nil
	}
	return b
}
