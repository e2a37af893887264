package crypt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"waymark/mgmt/salt/crypt"
)

// data is bytes in a vector: {"hex": …} or {"rule": [n, a, b]}.
type data []byte

func (d *data) UnmarshalJSON(raw []byte) error {
	var v struct {
		Hex  string
		Rule []int
	}
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if len(v.Rule) == 3 {
		for i := range v.Rule[0] {
			*d = append(*d, byte(v.Rule[1]*i+v.Rule[2]))
		}
		return nil
	}
	b, err := hex.DecodeString(v.Hex)
	*d = append(data{}, b...)
	return err
}

type keyVector struct {
	Bits    int
	Private string `json:"private_pem"`
	Public  string `json:"public_pem"`
	Sha256  string `json:"fingerprint_sha256"`
	Md5     string `json:"fingerprint_md5"`
	Clean   string `json:"clean_public_pem"`
	private *crypt.Private
	public  *crypt.Public
}

type vectors struct {
	Keys        map[string]*keyVector
	Fingerprint []struct{ Key, Sum, Value string }
	Variants    []struct{ About, Pem, Sha256 string } `json:"fingerprint_variants"`
	KeyText     []struct {
		Text      string
		Aes, Hmac data
	} `json:"key_text"`
	KeyTextBad []struct{ Text, About string } `json:"key_text_bad"`
	Crypticle  []struct {
		Name, Key                 string
		Iv, Plaintext, Ciphertext data
	}
	CrypticleBad []struct {
		Name, Key  string
		Ciphertext data
	} `json:"crypticle_bad"`
	X931 []struct {
		Key                           string
		Message, Signature, Recovered data
	}
	Oaep []struct {
		Key, Algorithm        string
		Plaintext, Ciphertext data
	}
	Pkcs1v15    []signed
	Pkcs1v15Bad []signed `json:"pkcs1v15_bad"`
	PubSig      struct {
		Key     string
		Message string `json:"message_pem"`
		PubSig  string `json:"pub_sig"`
	} `json:"pub_sig"`
}

type signed struct {
	Key, Algorithm     string
	Message, Signature data
}

func load(t testing.TB) *vectors {
	t.Helper()
	raw, err := os.ReadFile("../testdata/salt-crypto.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &vectors{}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
	for name, k := range v.Keys {
		if k.private, err = crypt.ParsePrivate([]byte(k.Private)); err != nil {
			t.Fatal(name, err)
		}
		if k.public, err = crypt.ParsePublic(k.Public); err != nil {
			t.Fatal(name, err)
		}
	}
	counts := []int{len(v.Keys), len(v.Fingerprint), len(v.Variants), len(v.KeyText), len(v.KeyTextBad), len(v.Crypticle),
		len(v.CrypticleBad), len(v.X931), len(v.Oaep), len(v.Pkcs1v15), len(v.Pkcs1v15Bad)}
	for i, want := range []int{3, 6, 4, 5, 4, 6, 6, 8, 5, 5, 1} {
		if counts[i] != want {
			t.Fatalf("vectors: %v", counts)
		}
	}
	return v
}

func TestKeys(t *testing.T) {
	for name, k := range load(t).Keys {
		if got := k.public.PEM(); got != k.Clean {
			t.Errorf("%s: PEM %q, want %q", name, got, k.Clean)
		}
		if got := k.private.Public.PEM(); got != k.Clean {
			t.Errorf("%s: PEM of the private half's public half %q", name, got)
		}
		if got := string(k.private.PEM()); strings.TrimSpace(got) != strings.TrimSpace(k.Private) {
			t.Errorf("%s: private PEM changed", name)
		}
		if !k.public.Equal(&k.private.Public) || k.public.Equal(nil) {
			t.Errorf("%s: not equal to itself, or to nothing", name)
		}
	}
}

func TestFingerprints(t *testing.T) {
	v := load(t)
	for _, f := range v.Fingerprint {
		if got := crypt.Fingerprint(v.Keys[f.Key].Public, f.Sum); got != f.Value {
			t.Errorf("%s %s: %s, want %s", f.Key, f.Sum, got, f.Value)
		}
	}
	for _, f := range v.Variants {
		if got := crypt.Fingerprint(f.Pem, "sha256"); got != f.Sha256 {
			t.Errorf("%s: %s, want %s", f.About, got, f.Sha256)
		}
	}
	if crypt.Fingerprint("x", "sha512") != "" {
		t.Error("unknown sum")
	}
}

func TestKeyTexts(t *testing.T) {
	v := load(t)
	for _, k := range v.KeyText {
		c, err := crypt.ParseKeyText(k.Text)
		if err != nil || c.Text() != k.Text {
			t.Errorf("%s: %v", k.Text, err)
		}
		if raw, _ := base64.StdEncoding.DecodeString(k.Text); !bytes.Equal(raw, append(append(data{}, k.Aes...), k.Hmac...)) {
			t.Errorf("%s: AES and HMAC key are not in this order", k.Text)
		}
	}
	for _, k := range v.KeyTextBad {
		if _, err := crypt.ParseKeyText(k.Text); !errors.Is(err, crypt.ErrKeyText) {
			t.Errorf("%s: %v", k.About, err)
		}
	}
	a, b := crypt.NewKeyText(), crypt.NewKeyText()
	if _, err := crypt.ParseKeyText(a); err != nil || a == b {
		t.Errorf("new key texts %q and %q: %v", a, b, err)
	}
}

func TestCrypticles(t *testing.T) {
	v := load(t)
	for _, tt := range v.Crypticle {
		c, err := crypt.ParseKeyText(tt.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Encrypt(bytes.NewReader(tt.Iv), tt.Plaintext); err != nil || !bytes.Equal(got, tt.Ciphertext) {
			t.Errorf("%s: encrypted to %x, %v", tt.Name, got, err)
		}
		if got, err := c.Decrypt(tt.Ciphertext); err != nil || !bytes.Equal(got, tt.Plaintext) {
			t.Errorf("%s: decrypted to %x, %v", tt.Name, got, err)
		}
	}
	for _, tt := range v.CrypticleBad {
		c, _ := crypt.ParseKeyText(tt.Key)
		if _, err := c.Decrypt(tt.Ciphertext); !errors.Is(err, crypt.ErrCrypticle) {
			t.Errorf("%s: %v", tt.Name, err)
		}
	}
}

func TestX931(t *testing.T) {
	for i, tt := range load(t).X931 {
		k := load(t).Keys[tt.Key]
		if got, err := k.private.SignX931(tt.Message); err != nil || !bytes.Equal(got, tt.Signature) {
			t.Errorf("%d: signed %x, %v", i, got, err)
		}
		got, err := k.public.RecoverX931(tt.Signature)
		if tt.Recovered == nil {
			if !errors.Is(err, crypt.ErrSignature) {
				t.Errorf("%d: recovered %x, %v; Salt refuses it", i, got, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, tt.Recovered) {
			t.Errorf("%d: recovered %x, %v", i, got, err)
		}
		if err := k.public.VerifyX931(tt.Message, tt.Signature); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		bad := bytes.Clone(tt.Signature)
		bad[17] ^= 1
		for _, sig := range [][]byte{bad, nil, tt.Signature[1:], bytes.Repeat([]byte{0xff}, len(bad))} {
			if err := k.public.VerifyX931(tt.Message, sig); !errors.Is(err, crypt.ErrSignature) {
				t.Errorf("%d: forged signature: %v", i, err)
			}
		}
	}
	k := load(t).Keys["k1"]
	if _, err := k.private.SignX931(make([]byte, 255)); err == nil {
		t.Error("signed more than fits")
	}
}

func TestOAEP(t *testing.T) {
	v := load(t)
	for i, tt := range v.Oaep {
		k := v.Keys[tt.Key]
		if got, err := k.private.Decrypt(tt.Algorithm, tt.Ciphertext); err != nil || !bytes.Equal(got, tt.Plaintext) {
			t.Errorf("%d: %x, %v", i, got, err)
		}
		in, err := k.public.Encrypt(tt.Algorithm, tt.Plaintext)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.private.Decrypt(tt.Algorithm, in); err != nil || !bytes.Equal(got, tt.Plaintext) {
			t.Errorf("%d: there and back %x, %v", i, got, err)
		}
		in[20] ^= 1
		if _, err := k.private.Decrypt(tt.Algorithm, in); err == nil {
			t.Errorf("%d: damaged, decrypted", i)
		}
	}
	k := v.Keys["k1"]
	if _, err := k.public.Encrypt("OAEP-MD5", nil); !errors.Is(err, crypt.ErrAlgorithm) {
		t.Error(err)
	}
	if _, err := k.private.Decrypt("", nil); !errors.Is(err, crypt.ErrAlgorithm) {
		t.Error(err)
	}
}

func TestPKCS1v15(t *testing.T) {
	v := load(t)
	for i, tt := range v.Pkcs1v15 {
		k := v.Keys[tt.Key]
		if got, err := k.private.Sign(tt.Algorithm, tt.Message); err != nil || !bytes.Equal(got, tt.Signature) {
			t.Errorf("%d: %x, %v", i, got, err)
		}
		if err := k.public.Verify(tt.Algorithm, tt.Message, tt.Signature); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	for _, tt := range v.Pkcs1v15Bad {
		if err := v.Keys[tt.Key].public.Verify(tt.Algorithm, tt.Message, tt.Signature); !errors.Is(err, crypt.ErrSignature) {
			t.Error(err)
		}
	}
	if err := v.Keys["k1"].public.Verify("none", nil, nil); !errors.Is(err, crypt.ErrAlgorithm) {
		t.Error(err)
	}
	if _, err := v.Keys["k1"].private.Sign("none", nil); !errors.Is(err, crypt.ErrAlgorithm) {
		t.Error(err)
	}
}

func TestPubSig(t *testing.T) {
	v := load(t)
	sig, err := base64.StdEncoding.DecodeString(v.PubSig.PubSig) // newlines within are ignored
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Keys[v.PubSig.Key].public.Verify(crypt.PKCSSHA1, []byte(v.PubSig.Message), sig); err != nil {
		t.Error(err)
	}
}

func TestRefusedKeys(t *testing.T) {
	const ec = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf1CRDS+kzxZqjdFPMFGcYjN9hbmI\n8tqvhPWHLhJSeiiEWkBPAfHvIYhMhpRSTJ2RzjIhlTNSGxcJ6TcTUjyhRw==\n-----END PUBLIC KEY-----\n"
	const small = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL0u1DPQ5+QcZH0mXxwKk3bOSZq0b7YR\n-----END PUBLIC KEY-----\n"
	for _, text := range []string{"", "x", ec, small, "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n"} {
		if _, err := crypt.ParsePublic(text); !errors.Is(err, crypt.ErrKey) {
			t.Errorf("%.40q: %v", text, err)
		}
		if _, err := crypt.ParsePrivate([]byte(text)); err == nil {
			t.Errorf("%.40q passed for a private key", text)
		}
	}
	if _, err := crypt.Generate(1024); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("1024 bits: %v", err)
	}
}

func FuzzDecrypt(f *testing.F) {
	v := load(f)
	c, _ := crypt.ParseKeyText(v.Crypticle[0].Key)
	for _, tt := range v.Crypticle {
		f.Add([]byte(tt.Ciphertext))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		plain, err := c.Decrypt(in)
		if err != nil {
			return
		}
		if out, err := c.Encrypt(bytes.NewReader(in), plain); err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%x was not ours: %x", in, out)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	for _, k := range load(f).Keys {
		f.Add(k.Public)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := crypt.ParsePublic(text)
		if err != nil {
			return
		}
		again, err := crypt.ParsePublic(k.PEM())
		if err != nil || !again.Equal(k) {
			t.Fatalf("%q: %v", k.PEM(), err)
		}
	})
}
