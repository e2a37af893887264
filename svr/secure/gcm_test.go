package secure_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"waymark/svr/secure"
)

func gcmPair(t testing.TB) (tx, rx *secure.GCM) {
	t.Helper()
	p := cbcPolicy(t, secure.GCM256, secure.DigestNone, secure.ModeDisabled)
	return sessionKey(t, p, key(16)), sessionKey(t, p, key(16))
}

func sessionKey(t testing.TB, p *secure.Policy, salt []byte) *secure.GCM {
	t.Helper()
	g := &secure.GCM{}
	if err := p.SessionKey(g, salt); err != nil || !g.Keyed() {
		t.Fatalf("session key: %v, keyed %v", err, g.Keyed())
	}
	return g
}

func seal(t testing.TB, g *secure.GCM, text string) []byte {
	t.Helper()
	buf := room([]byte(text), secure.GCMOverhead)
	out, err := g.Seal(buf, len(buf))
	if err != nil || &out[0] != &buf[0] {
		t.Fatalf("seal: %x, %v", out, err)
	}
	return out
}

func TestGCMRefusesWrongKeys(t *testing.T) {
	cbc := cbcPolicy(t, secure.CBC128, secure.DigestNone, secure.ModeDisabled)
	tx, _ := gcmPair(t)
	if err := cbc.SessionKey(tx, key(16)); !errors.Is(err, secure.ErrCipher) || tx.Keyed() {
		t.Errorf("session key of a CBC policy: %v, keyed %v", err, tx.Keyed())
	}
	for _, tc := range []struct{ service, salt int }{{0, 16}, {15, 16}, {24, 16}, {33, 16}, {16, 0}, {16, 15}, {32, 17}} {
		if _, err := secure.NewGCM(key(tc.service), key(tc.salt)); !errors.Is(err, secure.ErrKey) {
			t.Errorf("service key %d, salt %d: %v", tc.service, tc.salt, err)
		}
	}
	tx, _ = gcmPair(t)
	if err := cbcPolicy(t, secure.GCM128, secure.DigestNone, secure.ModeDisabled).SessionKey(tx, key(15)); err == nil || tx.Keyed() {
		t.Errorf("short salt: %v, keyed %v", err, tx.Keyed())
	}
}

// TestRekeying: a new key begins with a new counter and an empty window, and
// what the old one sealed does not open.
func TestRekeying(t *testing.T) {
	p := cbcPolicy(t, secure.GCM256, secure.DigestNone, secure.ModeDisabled)
	tx, rx := gcmPair(t)
	old := seal(t, tx, "old")
	if _, err := rx.Open(bytes.Clone(old)); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*secure.GCM{tx, rx} {
		if err := p.SessionKey(g, key(17)[1:]); err != nil || g.Counter() != 0 {
			t.Fatalf("%v, counter %d", err, g.Counter())
		}
	}
	if _, err := rx.Open(old); err != secure.ErrDecrypt {
		t.Errorf("sealed with the old key: %v", err)
	}
	if out, err := rx.Open(seal(t, tx, "new")); err != nil || string(out) != "new" {
		t.Errorf("sealed with the new key: %q, %v", out, err)
	}
}

// TestKeyDerivation compares both ways to a session key with crypto/hkdf, by
// what they seal.
func TestKeyDerivation(t *testing.T) {
	for _, c := range []secure.Cipher{secure.GCM128, secure.GCM256} {
		p := cbcPolicy(t, c, secure.DigestNone, secure.ModeDisabled)
		for i := range 20 {
			salt := key(16 + i)[i:]
			want, err := hkdf.Key(sha256.New, key(c.KeySize()), salt, "waymark 1 payload", c.KeySize())
			if err != nil {
				t.Fatal(err)
			}
			a := sessionKey(t, p, salt)
			b, err := secure.NewGCM(key(c.KeySize()), salt)
			if err != nil {
				t.Fatal(err)
			}
			text := seal(t, secure.StandardForTest(want), "text")
			for _, g := range []*secure.GCM{a, b} {
				if got := seal(t, g, "text"); !bytes.Equal(got, text) {
					t.Fatalf("%v: sealed %x, want %x", c, got, text)
				}
			}
		}
	}
	want, err := hkdf.Key(sha256.New, key(20), nil, "waymark 1 bfd", 32)
	if got := secure.BFDKey(key(20)); err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("bfd key %x, want %x", got, want)
	}
}

func TestGCMEdges(t *testing.T) {
	tx, rx := gcmPair(t)
	if out, err := tx.Seal(nil, 0); err != nil || len(out) != 0 || tx.Counter() != 0 {
		t.Errorf("nothing became %x, %v, counter %d", out, err, tx.Counter())
	}
	if out, err := rx.Open(nil); err != nil || len(out) != 0 {
		t.Errorf("nothing became %x, %v", out, err)
	}
	if _, err := tx.Seal(make([]byte, 5, 5+secure.GCMOverhead-1), 5); err != secure.ErrRoom || tx.Counter() != 0 {
		t.Errorf("no room: %v, counter %d", err, tx.Counter())
	}
	for n := 1; n <= secure.GCMOverhead; n++ {
		if _, err := rx.Open(make([]byte, n)); err != secure.ErrDecrypt {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestGCMForged holds that no changed bit passes and none of them moves the
// window.
func TestGCMForged(t *testing.T) {
	tx, rx := gcmPair(t)
	sealed := seal(t, tx, "payload")
	for i := range 8 * len(sealed) {
		forged := bytes.Clone(sealed)
		forged[i/8] ^= 1 << (i % 8)
		want := secure.ErrDecrypt
		if binary.BigEndian.Uint64(forged[len(forged)-8:]) == 0 {
			want = secure.ErrReplay // counter 0 is never sent
		}
		if out, err := rx.Open(forged); err != want {
			t.Errorf("bit %d: %x, %v, want %v", i, out, err, want)
		}
	}
	if out, err := rx.Open(bytes.Clone(sealed)); err != nil || string(out) != "payload" {
		t.Errorf("the right one: %q, %v", out, err)
	}
	if out, err := rx.Open(sealed); err != secure.ErrReplay || out != nil {
		t.Errorf("again: %q, %v", out, err)
	}
}

// TestReplayWindow delivers counters out of order and twice and compares with a
// plain model.
func TestReplayWindow(t *testing.T) {
	tx, rx := gcmPair(t)
	var sent [][]byte
	for range 6000 {
		sent = append(sent, seal(t, tx, "x"))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	seen, top := map[int]bool{}, 0
	for step := range 20000 {
		var c int
		switch rnd.IntN(10) {
		case 0:
			c = 1 + rnd.IntN(len(sent)) // anywhere, long jumps too
		default:
			c = max(1, min(top+3-rnd.IntN(1100), len(sent)))
		}
		if step < 15000 {
			c = min(c, 1+step/4+rnd.IntN(64))
		}
		want := error(nil)
		if seen[c] || (c <= top && top-c >= secure.WindowSize) {
			want = secure.ErrReplay
		}
		if _, err := rx.Open(bytes.Clone(sent[c-1])); err != want {
			t.Fatalf("step %d, counter %d, newest %d: %v, want %v", step, c, top, err, want)
		}
		seen[c], top = true, max(top, c)
	}
}

// TestWindowJumps walks the edges of the window with far jumps.
func TestWindowJumps(t *testing.T) {
	const w = secure.WindowSize
	for _, jump := range []int{1, 63, 64, 65, w - 1, w, w + 1, 2*w - 1, 2 * w, 3*w + 7} {
		tx, rx := gcmPair(t)
		var sent [][]byte
		for range w + jump {
			sent = append(sent, seal(t, tx, "x"))
		}
		open := func(c int, want error) {
			if _, err := rx.Open(bytes.Clone(sent[c-1])); err != want {
				t.Errorf("jump %d, counter %d: %v, want %v", jump, c, err, want)
			}
		}
		for c := 1; c <= w; c += 2 { // every second one
			open(c, nil)
		}
		open(w+jump, nil)
		for c := 1; c <= w; c++ {
			var want error
			if c%2 == 1 || w+jump-c >= w {
				want = secure.ErrReplay
			}
			open(c, want)
		}
	}
}
