package secure_test

import (
	"testing"

	"waymark/svr/secure"
)

// none fails if f allocates.
func none(t *testing.T, name string, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, f); got != 0 {
		t.Errorf("%s: %v allocations, want 0", name, got)
	}
}

func TestDigestAllocatesNothing(t *testing.T) {
	for _, d := range allDigests {
		for _, m := range []secure.Mode{secure.ModeRegular, secure.ModeTimeBased} {
			name := d.String() + " " + m.String()
			p := cbcPolicy(t, secure.CipherNone, d, m)
			buf := room(key(1400), 32)
			good := p.AppendDigest(nil, buf, benchUnix)
			late := p.AppendDigest(nil, buf, benchUnix+10)
			forged := make([]byte, len(good))
			none(t, name+" append", func() { p.AppendDigest(buf, buf, benchUnix) })
			none(t, name+" good", func() { p.Verify(buf, good, benchUnix) })
			none(t, name+" forged", func() { p.Verify(buf, forged, benchUnix) })
			none(t, name+" late", func() { p.Verify(buf, late, benchUnix) })
		}
	}
}

func TestCBCAllocatesNothing(t *testing.T) {
	ivs := secure.NewIVSource([32]byte{1})
	for _, c := range []secure.Cipher{secure.CBC128, secure.CBC256} {
		p := cbcPolicy(t, c, secure.DigestNone, secure.ModeDisabled)
		buf, bad, iv := make([]byte, 1500), make([]byte, 1408), [16]byte{}
		none(t, c.String(), func() {
			ivs.Next(&iv)
			if _, err := p.DecryptCBC(p.EncryptCBC(buf, 1400, &iv)); err != nil {
				t.Fatal(err)
			}
		})
		none(t, c.String()+" bad", func() { _, _ = p.DecryptCBC(bad[:1407]) })
	}
}

func TestGCMAllocatesNothing(t *testing.T) {
	for _, c := range []secure.Cipher{secure.GCM128, secure.GCM256} {
		p := cbcPolicy(t, c, secure.DigestNone, secure.ModeDisabled)
		g := sessionKey(t, p, key(16))
		buf, work, forged := make([]byte, 1500), make([]byte, 1500), make([]byte, 1400)
		forged[1392] = 1
		var sealed []byte
		none(t, c.String(), func() {
			sealed, _ = g.Seal(buf, 1400)
			if _, err := g.Open(work[:copy(work, sealed)]); err != nil {
				t.Fatal(err)
			}
		})
		none(t, c.String()+" replayed", func() { _, _ = g.Open(sealed) })
		none(t, c.String()+" forged", func() { _, _ = g.Open(forged) })
	}
}

// TestSessionKeyAllocatesNothing: a new key goes into the memory of the old one.
// Only where the standard library does the work are there three objects for each
// key: its key schedule, its GCM and ours around them.
func TestSessionKeyAllocatesNothing(t *testing.T) {
	want := 0.0
	if !secure.HaveGCM() {
		want = 3
	}
	for _, c := range []secure.Cipher{secure.GCM128, secure.GCM256} {
		p := cbcPolicy(t, c, secure.DigestNone, secure.ModeDisabled)
		g, salt, buf := &secure.GCM{}, key(16), make([]byte, 64)
		got := testing.AllocsPerRun(200, func() {
			salt[0]++
			if err := p.SessionKey(g, salt); err != nil {
				t.Fatal(err)
			}
			_, _ = g.Seal(buf, 1)
		})
		if got != want {
			t.Errorf("%v: %v allocations, want %v", c, got, want)
		}
	}
}

func TestRandomAllocatesNothing(t *testing.T) {
	r, b := secure.NewRandom([32]byte{1}), make([]byte, 700)
	none(t, "random", func() {
		r.Fill(b)
		r.Uint64()
		r.UUID()
		r.Bytes16()
	})
}
