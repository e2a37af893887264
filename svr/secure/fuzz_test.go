package secure_test

import (
	"bytes"
	"testing"

	"waymark/svr/secure"
)

// FuzzDecryptCBC holds that whatever decrypts is what encrypts to the same bytes.
func FuzzDecryptCBC(f *testing.F) {
	p := cbcPolicy(f, secure.CBC256, secure.DigestNone, secure.ModeDisabled)
	iv := [16]byte(key(16))
	for _, n := range []int{1, 15, 16, 17, 100} {
		f.Add(bytes.Clone(p.EncryptCBC(room(key(n), secure.CBCOverhead), n, &iv)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		plain, err := p.DecryptCBC(b)
		if err != nil {
			if err != secure.ErrDecrypt || plain != nil {
				t.Fatalf("%x, %v", plain, err)
			}
			return
		}
		if len(in) == 0 {
			return
		}
		n := len(plain)
		iv := [16]byte(in[len(in)-16:])
		if again := p.EncryptCBC(room(plain, secure.CBCOverhead), n, &iv); !bytes.Equal(again, in) {
			t.Fatalf("%x decrypts to %x, which encrypts to %x", in, plain, again)
		}
	})
}

// FuzzOpen holds that nothing opens but what was sealed, once.
func FuzzOpen(f *testing.F) {
	sealer, err := secure.NewGCM(key(16), key(16))
	if err != nil {
		f.Fatal(err)
	}
	sealed := map[string]bool{}
	for _, n := range []int{1, 16, 100} {
		b, err := sealer.Seal(room(key(n), secure.GCMOverhead), n)
		if err != nil {
			f.Fatal(err)
		}
		sealed[string(b)] = true
		f.Add(bytes.Clone(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := secure.NewGCM(key(16), key(16))
		if err != nil {
			t.Fatal(err)
		}
		in := bytes.Clone(b)
		_, err = g.Open(b)
		if want := len(in) == 0 || sealed[string(in)]; (err == nil) != want {
			t.Fatalf("%x: %v", in, err)
		}
		if err == nil && len(in) > 0 {
			if _, err := g.Open(in); err != secure.ErrReplay {
				t.Fatalf("again: %v", err)
			}
		}
	})
}

// FuzzVerify holds that a digest is good exactly when it is the one of a near
// tick.
func FuzzVerify(f *testing.F) {
	p := cbcPolicy(f, secure.CipherNone, secure.DigestSHA256128, secure.ModeTimeBased)
	for _, off := range []int64{0, 2, -2, 20, 100} {
		f.Add([]byte("message"), p.AppendDigest(nil, []byte("message"), benchUnix+off), int64(benchUnix))
	}
	f.Fuzz(func(t *testing.T, msg, digest []byte, unix int64) {
		want := false
		for _, off := range []int64{-2, 0, 2} {
			want = want || bytes.Equal(digest, p.AppendDigest(nil, msg, unix+off))
		}
		if got := p.Verify(msg, digest, unix); (got == secure.Good) != want {
			t.Fatalf("verdict %v, near tick %v", got, want)
		}
	})
}
