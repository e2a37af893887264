package secure_test

import (
	"errors"
	"strings"
	"testing"

	"waymark/svr/secure"
)

func TestConfigFaults(t *testing.T) {
	good := secure.Config{
		Name: "internal", Encrypt: true, Cipher: secure.CBC256, Key: key(32),
		Mode: secure.ModeTimeBased, Digest: secure.DigestSHA256128, HMACKey: key(32),
	}
	for _, tc := range []struct {
		name   string
		change func(c *secure.Config)
		fields string // of the faults, in order
		err    error
	}{
		{"good", func(*secure.Config) {}, "", nil},
		{"all zero", func(c *secure.Config) { *c = secure.Config{} }, "", nil},
		{"key too short", func(c *secure.Config) { c.Key = key(31) }, "encryption-key", secure.ErrKey},
		{"key of the other size", func(c *secure.Config) { c.Cipher = secure.CBC128 }, "encryption-key", secure.ErrKey},
		{"key missing", func(c *secure.Config) { c.Key = nil }, "encryption-key", secure.ErrKey},
		{"gcm key", func(c *secure.Config) { c.Cipher, c.Key = secure.GCM128, key(24) }, "encryption-key", secure.ErrKey},
		{"no cipher", func(c *secure.Config) { c.Cipher = secure.CipherNone }, "encryption-cipher", secure.ErrCipher},
		{"unknown cipher", func(c *secure.Config) { c.Cipher = 99 }, "encryption-cipher", secure.ErrCipher},
		{"not encrypting, not looked at", func(c *secure.Config) { c.Encrypt, c.Cipher, c.Key = false, 99, nil }, "", nil},
		{"unknown digest", func(c *secure.Config) { c.Digest = 9 }, "hmac-cipher", secure.ErrDigest},
		{"no digest", func(c *secure.Config) { c.Digest = secure.DigestNone }, "hmac-cipher", secure.ErrDigest},
		{"unknown mode", func(c *secure.Config) { c.Mode = 3 }, "hmac-mode", secure.ErrMode},
		{"hmac key too short", func(c *secure.Config) { c.HMACKey = key(3) }, "hmac-key", secure.ErrKey},
		{"hmac key too long", func(c *secure.Config) { c.HMACKey = key(65) }, "hmac-key", secure.ErrKey},
		{"disabled, not looked at", func(c *secure.Config) { c.Mode, c.Digest, c.HMACKey = secure.ModeDisabled, 9, nil }, "", nil},
		{"gcm, hmac not looked at", func(c *secure.Config) { c.Cipher, c.HMACKey = secure.GCM256, nil }, "", nil},
		{"all at once", func(c *secure.Config) { c.Key, c.Mode, c.Digest, c.HMACKey = nil, 3, 9, nil },
			"encryption-key hmac-mode hmac-cipher hmac-key", secure.ErrMode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := good
			tc.change(&cfg)
			p, err := secure.New(cfg)
			if (p == nil) != (err != nil) || !errors.Is(err, tc.err) {
				t.Fatalf("policy %v, error %v, want %v", p != nil, err, tc.err)
			}
			if got := strings.Join(fields(err), " "); got != tc.fields {
				t.Errorf("faults %q, want %q", got, tc.fields)
			}
		})
	}
}

// fields returns the leaves that a joined error is about.
func fields(err error) (names []string) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		var fault *secure.ConfigError
		if errors.As(e, &fault) {
			names = append(names, fault.Field)
		}
	}
	return names
}

func TestConfigErrorText(t *testing.T) {
	_, err := secure.New(secure.Config{Name: "internal", Encrypt: true, Cipher: secure.CBC256, Key: key(16)})
	want := `security "internal": encryption-key: wrong key length: 16 bytes, want 32 bytes for aes-cbc-256`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPolicyFigures(t *testing.T) {
	for _, tc := range []struct {
		name             string
		cfg              secure.Config
		digest, overhead int
		mode             secure.Mode
		cipher           secure.Cipher
	}{
		{"clear", secure.Config{Cipher: secure.CBC128, Padding: true}, 0, 0, secure.ModeDisabled, secure.CipherNone},
		{"sha1", secure.Config{Mode: secure.ModeRegular, Digest: secure.DigestSHA1, HMACKey: key(20)}, 20, 0, secure.ModeRegular, secure.CipherNone},
		{"sha256", secure.Config{Mode: secure.ModeTimeBased, Digest: secure.DigestSHA256, HMACKey: key(4)}, 32, 0, secure.ModeTimeBased, secure.CipherNone},
		{"cbc", secure.Config{Encrypt: true, Cipher: secure.CBC128, Key: key(16), Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: key(16)},
			16, 32, secure.ModeRegular, secure.CBC128},
		{"cbc padded", secure.Config{Encrypt: true, Cipher: secure.CBC256, Key: key(32), Padding: true}, 0, 33, secure.ModeDisabled, secure.CBC256},
		{"gcm", secure.Config{Encrypt: true, Cipher: secure.GCM128, Key: key(16), Mode: secure.ModeRegular, Digest: secure.DigestSHA1, HMACKey: key(16)},
			0, 24, secure.ModeDisabled, secure.GCM128},
	} {
		p := mustPolicy(t, tc.cfg).Clone()
		if p.DigestSize() != tc.digest || p.Overhead() != tc.overhead || p.Mode() != tc.mode || p.Cipher() != tc.cipher {
			t.Errorf("%s: digest %d, overhead %d, %v, %v, want %d, %d, %v, %v", tc.name,
				p.DigestSize(), p.Overhead(), p.Mode(), p.Cipher(), tc.digest, tc.overhead, tc.mode, tc.cipher)
		}
	}
}

// TestKeysAreCopied holds that a caller may wipe its keys.
func TestKeysAreCopied(t *testing.T) {
	enc, mac := key(16), key(16)
	p := mustPolicy(t, secure.Config{Encrypt: true, Cipher: secure.GCM128, Key: enc})
	q := mustPolicy(t, secure.Config{Mode: secure.ModeRegular, Digest: secure.DigestSHA256, HMACKey: mac})
	want := string(q.AppendDigest(nil, nil, 0))
	g := sessionKey(t, p, key(16))
	first, _ := g.Seal(room([]byte("x"), 64), 1)
	clear(enc)
	clear(mac)
	if got := string(q.Clone().AppendDigest(nil, nil, 0)); got != want {
		t.Error("digest changed with the caller's key")
	}
	g = sessionKey(t, p.Clone(), key(16))
	if again, _ := g.Seal(room([]byte("x"), 64), 1); string(again) != string(first) {
		t.Error("cipher changed with the caller's key")
	}
}

func TestPostEncryptionPadding(t *testing.T) {
	for _, pads := range []bool{false, true} {
		p := mustPolicy(t, secure.Config{Encrypt: true, Cipher: secure.CBC128, Key: key(16), Padding: pads})
		want := "cipher"
		if pads {
			want += "\x00"
		}
		got := p.AppendPadding(room([]byte("cipher"), 1))
		if string(got) != want {
			t.Errorf("padding %v: %q, want %q", pads, got, want)
		}
		if back, err := p.StripPadding(got); err != nil || string(back) != "cipher" {
			t.Errorf("padding %v: stripped %q, %v", pads, back, err)
		}
		if got := p.AppendPadding(nil); len(got) != 0 {
			t.Errorf("padding %v: nothing became %q", pads, got)
		}
		if full := p.AppendPadding(make([]byte, 4)); (full == nil) != pads {
			t.Errorf("padding %v: full buffer gave %v", pads, full)
		}
		if _, err := p.StripPadding([]byte("xy")); pads && err != secure.ErrDecrypt {
			t.Errorf("padding not zero: %v", err)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		secure.CBC128.String(): "aes-cbc-128", secure.CBC256.String(): "aes-cbc-256",
		secure.GCM128.String(): "aes-gcm-128", secure.GCM256.String(): "aes-gcm-256",
		secure.CipherNone.String(): "none", secure.Cipher(9).String(): "cipher-9",
		secure.DigestSHA1.String(): "sha1", secure.DigestSHA256.String(): "sha256",
		secure.DigestSHA256128.String(): "sha256-128", secure.Digest(9).String(): "digest-9",
		secure.ModeDisabled.String(): "disabled", secure.ModeRegular.String(): "regular",
		secure.ModeTimeBased.String(): "time-based", secure.Mode(9).String(): "mode-9",
		secure.Bad.String(): "bad", secure.Good.String(): "good", secure.Late.String(): "late",
	} {
		if got != want {
			t.Errorf("name %q, want %q", got, want)
		}
	}
}
