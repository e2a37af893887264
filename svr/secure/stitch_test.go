package secure_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"waymark/svr/secure"
)

// TestSealCBC holds the one-pass way against the standard library for every
// length up to three kilobytes' worth of block boundaries, both key sizes, every
// digest, with and without a tick.
func TestSealCBC(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	for _, c := range []secure.Cipher{secure.CBC128, secure.CBC256} {
		for _, d := range []secure.Digest{secure.DigestSHA1, secure.DigestSHA256, secure.DigestSHA256128} {
			for _, m := range []secure.Mode{secure.ModeDisabled, secure.ModeRegular, secure.ModeTimeBased} {
				cfg := secure.Config{Name: "s", Encrypt: true, Cipher: c, Key: make([]byte, c.KeySize()), Mode: m, Digest: d, HMACKey: make([]byte, 32)}
				r.Read(cfg.Key)
				r.Read(cfg.HMACKey)
				fast, plain := mustPolicy(t, cfg), mustPolicy(t, cfg).PlainForTest()
				for n := 0; n < 700; n++ {
					sealBoth(t, r, fast, plain, n)
				}
				sealBoth(t, r, fast, plain, 1460)
				sealBoth(t, r, fast, plain, 9000)
			}
		}
	}
}

func sealBoth(t *testing.T, r *rand.ChaCha8, fast, plain *secure.Policy, n int) {
	t.Helper()
	const unix = 1_700_000_001
	var iv [16]byte
	r.Read(iv[:])
	text := make([]byte, n, n+100)
	r.Read(text)
	want := plain.EncryptCBC(bytes.Clone(text)[:n:n], n, &iv)
	if want == nil { // no room: once more with some
		want = plain.EncryptCBC(append(make([]byte, 0, n+100), text...), n, &iv)
	}
	if n > 0 {
		want = plain.AppendDigest(want, want, unix)
	}
	got := fast.SealCBC(append(make([]byte, 0, n+100), text...), n, &iv, unix)
	if !bytes.Equal(got, want) {
		t.Fatalf("%v %v %v, %d bytes: got %x, want %x", fast.Cipher(), fast.Digest(), fast.Mode(), n, got, want)
	}
	if n == 0 {
		return
	}
	body := len(got) - fast.DigestSize()
	if v := fast.Verify(got[:body], got[body:], unix); v != secure.Good {
		t.Fatalf("%d bytes: got %v, want good", n, v)
	}
	for _, p := range []*secure.Policy{fast, plain} {
		back, err := p.DecryptCBC(bytes.Clone(got[:body]))
		if err != nil || !bytes.Equal(back, text) {
			t.Fatalf("%d bytes: got %x %v, want %x", n, back, err, text)
		}
	}
}

// TestSealCBCRoom: without room for ciphertext, IV and digest nothing is written.
func TestSealCBCRoom(t *testing.T) {
	cfg := secure.Config{Name: "s", Encrypt: true, Cipher: secure.CBC128, Key: make([]byte, 16),
		Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)}
	p := mustPolicy(t, cfg)
	var iv [16]byte
	buf := make([]byte, 20, 20+12+16+16-1)
	if got := p.SealCBC(buf, 20, &iv, 0); got != nil || !bytes.Equal(buf, make([]byte, 20)) {
		t.Errorf("got %x over %x, want nothing", got, buf)
	}
}

func TestSealCBCAllocs(t *testing.T) {
	cfg := secure.Config{Name: "s", Encrypt: true, Cipher: secure.CBC128, Key: make([]byte, 16),
		Mode: secure.ModeTimeBased, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)}
	p := mustPolicy(t, cfg)
	buf := make([]byte, 2000)
	iv := new([16]byte)
	if got := testing.AllocsPerRun(100, func() { p.SealCBC(buf, 1400, iv, 5) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkSealCBC(b *testing.B) {
	for _, c := range []secure.Cipher{secure.CBC128, secure.CBC256} {
		cfg := secure.Config{Name: "s", Encrypt: true, Cipher: c, Key: make([]byte, c.KeySize()),
			Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)}
		for _, plain := range []bool{false, true} {
			p, err := secure.New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			name := c.String() + "/own"
			if plain {
				p.PlainForTest()
				name = c.String() + "/standard"
			}
			buf, iv := make([]byte, 2000), new([16]byte)
			b.Run(name, func(b *testing.B) {
				b.SetBytes(1400)
				for b.Loop() {
					p.SealCBC(buf, 1400, iv, 5)
				}
			})
		}
	}
}
