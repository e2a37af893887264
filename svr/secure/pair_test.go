package secure_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"waymark/svr/secure"
)

// pairConfigs are all policies that sign, with and without a CBC cipher.
func pairConfigs(r *rand.ChaCha8) (list []secure.Config) {
	for _, c := range []secure.Cipher{secure.CipherNone, secure.CBC128, secure.CBC256} {
		for _, d := range allDigests {
			for _, m := range []secure.Mode{secure.ModeRegular, secure.ModeTimeBased} {
				cfg := secure.Config{Name: "s", Mode: m, Digest: d, HMACKey: make([]byte, 32)}
				if r.Read(cfg.HMACKey); c != secure.CipherNone {
					cfg.Encrypt, cfg.Cipher, cfg.Key = true, c, make([]byte, c.KeySize())
					r.Read(cfg.Key)
				}
				list = append(list, cfg)
			}
		}
	}
	return list
}

// pairLengths are every length around block borders beside several others: equal
// ones, one block apart, and far apart.
func pairLengths() (list [][2]int) {
	for n := range 330 {
		list = append(list, [2]int{n, n}, [2]int{n, n + 1}, [2]int{n + 64, n}, [2]int{n, 1400}, [2]int{1460, n})
	}
	return append(list, [2]int{9000, 1}, [2]int{1460, 1460}, [2]int{9000, 8999})
}

func random(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n, n+100)
	r.Read(b)
	return b
}

// forPairs runs a test for every policy, by the CPU's instructions, by those of a CPU
// that takes packets one by one, and without.
func forPairs(t *testing.T, test func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy)) {
	r := rand.NewChaCha8([32]byte{2})
	for _, cfg := range pairConfigs(r) {
		for _, way := range []string{"pairs", "one by one", "plain"} {
			p, plain := mustPolicy(t, cfg), mustPolicy(t, cfg).PlainForTest()
			if way == "plain" {
				p.PlainForTest()
			}
			t.Run(fmt.Sprint(p.Cipher(), p.Digest(), p.Mode(), " ", way), func(t *testing.T) {
				if way == "one by one" {
					secure.OneByOneForTest(t)
				}
				test(t, r, p, plain)
			})
		}
	}
}

// TestSealCBCPair holds two packets at once against the standard library, one by
// one.
func TestSealCBCPair(t *testing.T) {
	const unix = 1_700_000_001
	forPairs(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		if !p.Encrypts() {
			return
		}
		for _, n := range pairLengths() {
			a, b := random(r, n[0]), random(r, n[1])
			var iv [2][16]byte
			r.Read(iv[0][:])
			r.Read(iv[1][:])
			wantA, wantB := sealStandard(plain, a, &iv[0], unix), sealStandard(plain, b, &iv[1], unix)
			x, y := p.SealCBCPair(a, b, n[0], n[1], &iv, unix)
			if !bytes.Equal(x, wantA) || !bytes.Equal(y, wantB) {
				t.Fatalf("%d and %d bytes: got %x and %x, want %x and %x", n[0], n[1], x, y, wantA, wantB)
			}
			if &x[:1][0] != &a[:1][0] || &y[:1][0] != &b[:1][0] {
				t.Fatalf("%d and %d bytes: moved", n[0], n[1])
			}
		}
	})
}

func sealStandard(plain *secure.Policy, text []byte, iv *[16]byte, unix int64) []byte {
	n := len(text)
	out := plain.EncryptCBC(append(make([]byte, 0, n+100), text...), n, iv)
	if n == 0 {
		return out
	}
	return plain.AppendDigest(out, out, unix)
}

// TestSealCBCPairRoom: a packet without room is none, the other one is sealed.
func TestSealCBCPairRoom(t *testing.T) {
	p := mustPolicy(t, secure.Config{Name: "s", Encrypt: true, Cipher: secure.CBC128, Key: make([]byte, 16),
		Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)})
	var iv [2][16]byte
	for short := range 2 {
		buf := [2][]byte{make([]byte, 200, 300), make([]byte, 200, 300)}
		buf[short] = buf[short][: 200 : 208+16+16-1]
		x, y := p.SealCBCPair(buf[0], buf[1], 200, 200, &iv, 0)
		if got := [2][]byte{x, y}; got[short] != nil || len(got[1-short]) != 208+16+16 {
			t.Errorf("packet %d too short: got %x and %x", short, x, y)
		}
		if !bytes.Equal(buf[short], make([]byte, 200)) {
			t.Errorf("packet %d too short: written to", short)
		}
	}
}

// TestVerifyPair: both digests are found good, and a changed bit anywhere in
// either message or digest is found in that one alone.
func TestVerifyPair(t *testing.T) {
	const unix = 1_700_000_001
	forPairs(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		for _, n := range pairLengths() {
			var msg, dig [2][]byte
			for i := range msg {
				msg[i] = random(r, n[i])
				dig[i] = plain.AppendDigest(nil, msg[i], unix)
			}
			want := [2]secure.Verdict{secure.Good, secure.Good}
			check := func(what string) {
				t.Helper()
				a, b := p.VerifyPair(msg[0], dig[0], msg[1], dig[1], unix)
				if got := [2]secure.Verdict{a, b}; got != want {
					t.Fatalf("%d and %d bytes, %s: got %v, want %v", n[0], n[1], what, got, want)
				}
			}
			check("as they are")
			for i := range msg {
				want[i] = secure.Bad
				spoil := func(b []byte, what string) {
					if len(b) > 0 {
						at, bit := r.Uint64()%uint64(len(b)), byte(1)<<(r.Uint64()%8)
						b[at] ^= bit
						check(fmt.Sprintf("%s %d, byte %d", what, i, at))
						b[at] ^= bit
					}
				}
				spoil(msg[i], "message")
				spoil(dig[i], "digest")
				dig[i] = dig[i][:len(dig[i])-1]
				check("short digest")
				dig[i] = plain.AppendDigest(nil, msg[i], unix)
				want[i] = secure.Good
			}
		}
	})
}

// TestVerifyPairEveryByte: no byte of a full packet is left out, in either lane.
func TestVerifyPairEveryByte(t *testing.T) {
	p := mustPolicy(t, secure.Config{Name: "s", Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)})
	for _, n := range [][2]int{{1408, 1408}, {700, 1391}, {1391, 63}} {
		msg := [2][]byte{make([]byte, n[0]), make([]byte, n[1])}
		dig := [2][]byte{p.AppendDigest(nil, msg[0], 0), p.AppendDigest(nil, msg[1], 0)}
		for i := range msg {
			for at := range msg[i] {
				msg[i][at] ^= 0x80
				a, b := p.VerifyPair(msg[0], dig[0], msg[1], dig[1], 0)
				if v := [2]secure.Verdict{a, b}; v[i] != secure.Bad || v[1-i] != secure.Good {
					t.Fatalf("%v: byte %d of message %d: got %v", n, at, i, v)
				}
				msg[i][at] ^= 0x80
			}
		}
	}
}

// TestVerifyPairTicks: each message of a pair is judged by its own tick, as alone.
func TestVerifyPairTicks(t *testing.T) {
	const unix = 1_700_000_000
	forPairs(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		if p.Mode() != secure.ModeTimeBased {
			return
		}
		for a := int64(-17); a <= 17; a++ {
			for b := int64(-17); b <= 17; b++ {
				x, y := random(r, 150), random(r, 90)
				dx, dy := plain.AppendDigest(nil, x, unix+2*a), plain.AppendDigest(nil, y, unix+2*b)
				pair, alone := p.Clone(), p.Clone()
				if !p.Pairs() {
					pair.PlainForTest()
				}
				vx, vy := pair.VerifyPair(x, dx, y, dy, unix)
				wx, wy := alone.Verify(x, dx, unix), alone.Verify(y, dy, unix)
				if vx != wx || vy != wy || pair.LateOffset() != alone.LateOffset() {
					t.Fatalf("ticks %+d and %+d: got %v %v, want %v %v", a, b, vx, vy, wx, wy)
				}
				if v := pair.Verify(x, dx, unix+2*a); v != secure.Good {
					t.Fatalf("tick %+d, alone after a pair: got %v, want good", a, v)
				}
			}
		}
	})
}

func TestPairAllocatesNothing(t *testing.T) {
	forPairs(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		a, b, iv := make([]byte, 1400, 1500), make([]byte, 1300, 1500), new([2][16]byte)
		da, db := p.AppendDigest(nil, a, benchUnix), p.AppendDigest(nil, b, benchUnix+2)
		none(t, "verify", func() { p.VerifyPair(a, da, b, db, benchUnix) })
		none(t, "forged", func() { p.VerifyPair(b, da, a, db, benchUnix) })
		if p.Encrypts() {
			none(t, "seal", func() { p.SealCBCPair(a, b, 1400, 1300, iv, benchUnix) })
		}
	})
}

func BenchmarkPair(b *testing.B) {
	cfg := secure.Config{Name: "s", Encrypt: true, Cipher: secure.CBC128, Key: make([]byte, 16),
		Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)}
	for _, own := range []bool{true, false} {
		p, err := secure.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		name := "own"
		if !own {
			p.PlainForTest()
			name = "standard"
		}
		x, y, iv := make([]byte, 2000), make([]byte, 2000), new([2][16]byte)
		d := p.AppendDigest(nil, x[:1424], 0)
		run := func(what string, f func()) {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.SetBytes(2 * 1400)
				for b.Loop() {
					f()
				}
			})
		}
		run("seal pair", func() { p.SealCBCPair(x, y, 1400, 1400, iv, 0) })
		run("seal two", func() { p.SealCBC(x, 1400, &iv[0], 0); p.SealCBC(y, 1400, &iv[1], 0) })
		run("verify pair", func() { p.VerifyPair(x[:1424], d, y[:1424], d, 0) })
		run("verify two", func() { p.Verify(x[:1424], d, 0); p.Verify(y[:1424], d, 0) })
	}
}
