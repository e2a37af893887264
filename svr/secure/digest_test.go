package secure_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"testing"

	"waymark/svr/secure"
)

var allDigests = []secure.Digest{secure.DigestSHA1, secure.DigestSHA256, secure.DigestSHA256128}

// reference is the digest by crypto/hmac.
func reference(d secure.Digest, k, msg []byte) []byte {
	make := map[bool]func() hash.Hash{true: sha1.New, false: sha256.New}[d == secure.DigestSHA1]
	h := hmac.New(make, k)
	h.Write(msg)
	return h.Sum(nil)[:d.Size()]
}

// TestDigestAgainstReference covers every key length, message lengths around the
// block size, and both modes.
func TestDigestAgainstReference(t *testing.T) {
	for _, d := range allDigests {
		for n := secure.MinHMACKey; n <= secure.MaxHMACKey; n++ {
			k := key(n)
			plain := mustPolicy(t, secure.Config{Mode: secure.ModeRegular, Digest: d, HMACKey: k})
			timed := mustPolicy(t, secure.Config{Mode: secure.ModeTimeBased, Digest: d, HMACKey: k})
			for _, size := range []int{0, 1, 55, 56, 59, 60, 63, 64, 65, 127, 128, 1400, n * 31} {
				msg := key(size)
				if got, want := plain.AppendDigest(nil, msg, benchUnix), reference(d, k, msg); !bytes.Equal(got, want) {
					t.Fatalf("%v key %d message %d: %x, want %x", d, n, size, got, want)
				}
				want := reference(d, k, binary.BigEndian.AppendUint32(key(size), benchUnix/2))
				if got := timed.AppendDigest(nil, msg, benchUnix); !bytes.Equal(got, want) {
					t.Fatalf("%v timed, key %d message %d: %x, want %x", d, n, size, got, want)
				}
			}
		}
	}
}

func TestAppendDigestInPlace(t *testing.T) {
	p := cbcPolicy(t, secure.CipherNone, secure.DigestSHA256128, secure.ModeRegular)
	buf := room([]byte("message"), 32)
	whole := p.AppendDigest(buf, buf, 0)
	if !bytes.HasPrefix(whole, []byte("message")) || len(whole) != 7+16 || &whole[0] != &buf[0] {
		t.Errorf("whole: %x", whole)
	}
	clear(whole[7:])
	tail := p.AppendDigest(buf[7:], buf, 0)
	if len(tail) != 16 || !bytes.Equal(buf[7:23], tail) || &tail[0] != &buf[:8][7] {
		t.Errorf("tail: %x", tail)
	}
}

func TestVerifyTicks(t *testing.T) {
	p := cbcPolicy(t, secure.CipherNone, secure.DigestSHA256128, secure.ModeTimeBased)
	msg := []byte("a packet")
	for off := int64(-40); off <= 40; off++ {
		q := p.Clone() // each with the first search unused
		digest := p.AppendDigest(nil, msg, benchUnix+2*off)
		want := secure.Bad
		switch {
		case off >= -1 && off <= 1:
			want = secure.Good
		case off >= -secure.LateTicks && off <= secure.LateTicks:
			want = secure.Late
		}
		for _, odd := range []int64{0, 1} {
			if got := q.Verify(msg, digest, benchUnix+odd); got != want {
				t.Errorf("tick %+d: %v, want %v", off, got, want)
			}
		}
		if got := q.LateOffset(); want == secure.Late && int64(got) != off {
			t.Errorf("tick %+d: offset %d", off, got)
		}
	}
}

// TestTickWraps holds that ticks around 2^32 still meet.
func TestTickWraps(t *testing.T) {
	p := cbcPolicy(t, secure.CipherNone, secure.DigestSHA1, secure.ModeTimeBased)
	const edge = int64(1) << 33
	digest := p.AppendDigest(nil, nil, edge-1)
	if got := p.Verify(nil, digest, edge); got != secure.Good {
		t.Errorf("before the edge: %v", got)
	}
	digest = p.AppendDigest(nil, nil, -1)
	if got := p.Verify(nil, digest, 0); got != secure.Good {
		t.Errorf("before the epoch: %v", got)
	}
}

func TestVerifyForged(t *testing.T) {
	for _, d := range allDigests {
		for _, m := range []secure.Mode{secure.ModeRegular, secure.ModeTimeBased} {
			p := cbcPolicy(t, secure.CipherNone, d, m)
			msg := key(100)
			digest := p.AppendDigest(nil, msg, benchUnix)
			for i := range 8 * len(digest) {
				forged := bytes.Clone(digest)
				forged[i/8] ^= 1 << (i % 8)
				if got := p.Verify(msg, forged, benchUnix); got != secure.Bad {
					t.Fatalf("%v %v: digest bit %d: %v", d, m, i, got)
				}
			}
			for i := range 8 * len(msg) {
				msg[i/8] ^= 1 << (i % 8)
				if got := p.Verify(msg, digest, benchUnix); got != secure.Bad {
					t.Fatalf("%v %v: message bit %d: %v", d, m, i, got)
				}
				msg[i/8] ^= 1 << (i % 8)
			}
			for _, n := range []int{0, 1, len(digest) - 1, len(digest) + 1} {
				if got := p.Verify(msg, append(digest, 0)[:n], benchUnix); got != secure.Bad {
					t.Errorf("%v %v: digest of %d bytes: %v", d, m, n, got)
				}
			}
			if got := p.Verify(msg, digest, benchUnix); got != secure.Good {
				t.Errorf("%v %v: the right one: %v", d, m, got)
			}
		}
	}
}

func TestNoDigest(t *testing.T) {
	for _, c := range []secure.Cipher{secure.CipherNone, secure.GCM256} {
		p := cbcPolicy(t, c, secure.DigestNone, secure.ModeDisabled)
		if got := p.AppendDigest([]byte("x"), []byte("x"), 0); string(got) != "x" {
			t.Errorf("%v: appended %q", c, got)
		}
		if good, bad := p.Verify([]byte("x"), nil, 0), p.Verify([]byte("x"), []byte{0}, 0); good != secure.Good || bad != secure.Bad {
			t.Errorf("%v: %v, %v", c, good, bad)
		}
	}
}

// TestLateKeepsUp sends from a clock that is off and drifts, among forged
// packets: the first search finds it, the offset known follows it.
func TestLateKeepsUp(t *testing.T) {
	p := cbcPolicy(t, secure.CipherNone, secure.DigestSHA256128, secure.ModeTimeBased)
	msg, late := []byte("a packet"), 0
	for i := range int64(600) {
		now, ahead := benchUnix+i/10, 8+i/60 // seconds
		if p.Verify(msg, p.AppendDigest(nil, msg, now+ahead), now) == secure.Late {
			late++
		}
		if got := p.Verify(msg, make([]byte, 16), now); got != secure.Bad {
			t.Fatalf("forged: %v", got)
		}
	}
	if late < 500 {
		t.Errorf("%d of 600 found late", late)
	}
	if got := p.LateOffset(); got < 8 || got > 9 {
		t.Errorf("offset %d ticks, want 8 or 9", got)
	}
}
