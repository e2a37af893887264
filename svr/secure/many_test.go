package secure_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"waymark/svr/secure"
)

// forMany runs a test for every policy that can take many packets at once, with every
// number of lanes that the CPU has: with none where it cannot, as
// TestManyIsWhatTheCPUCan says.
func forMany(t *testing.T, test func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy)) {
	r := rand.NewChaCha8([32]byte{3})
	for _, lanes := range secure.LanesForTest() {
		for _, cfg := range pairConfigs(r) {
			if p := mustPolicy(t, cfg); p.Many() {
				t.Run(fmt.Sprint(lanes, p.Cipher(), p.Digest(), p.Mode()), func(t *testing.T) {
					secure.UseLanesForTest(t, lanes)
					test(t, r, mustPolicy(t, cfg), mustPolicy(t, cfg).PlainForTest())
				})
			}
		}
	}
}

// TestManyIsWhatTheCPUCan: policies over SHA-1 and without the instructions never
// say that they can.
func TestManyIsWhatTheCPUCan(t *testing.T) {
	r := rand.NewChaCha8([32]byte{3})
	for _, cfg := range pairConfigs(r) {
		p := mustPolicy(t, cfg)
		if want := len(secure.LanesForTest()) > 0 && cfg.Digest != secure.DigestSHA1; p.Many() != want {
			t.Errorf("%v: got %v, want %v", cfg.Digest, p.Many(), want)
		}
		if p.PlainForTest().Many() {
			t.Errorf("%v: many without the instructions", cfg.Digest)
		}
	}
}

// manyLengths are all lengths around block borders, and those of full packets.
func manyLengths() (list []int) {
	for n := 1; n < 280; n++ {
		list = append(list, n)
	}
	return append(list, 1380, 1392, 1400, 1408, 1440, 1460, 1980)
}

// TestSealCBCMany holds every number of packets against the standard library, one
// by one.
func TestSealCBCMany(t *testing.T) {
	const unix = 1_700_000_001
	forMany(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		if !p.Encrypts() {
			return
		}
		b, iv := new(secure.Batch), new([secure.Most][16]byte)
		for k, n := range manyLengths() {
			packets := make([][]byte, 1+k%secure.Most)
			want := make([][]byte, len(packets))
			for i := range packets {
				packets[i] = random(r, n)
				r.Read(iv[i][:])
				want[i] = sealStandard(plain, packets[i], &iv[i], unix)
			}
			got := p.SealCBCMany(b, packets, n, iv, unix)
			for i := range packets {
				if !bytes.Equal(packets[i][:got], want[i]) {
					t.Fatalf("%d bytes, packet %d of %d: got %x, want %x", n, i, len(packets), packets[i][:got], want[i])
				}
			}
		}
	})
}

// TestVerifyMany: all digests are found good; a changed bit anywhere in a lane is
// found in that one alone.
func TestVerifyMany(t *testing.T) {
	const unix = 1_700_000_001
	forMany(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		b := new(secure.Batch)
		for k, n := range manyLengths() {
			packets := make([][]byte, 1+k%secure.Most)
			verdicts := make([]secure.Verdict, len(packets))
			for i := range packets {
				msg := random(r, n)
				packets[i] = plain.AppendDigest(msg, msg, unix)
			}
			for bad := -1; bad < len(packets); bad++ {
				at, bit := uint64(0), byte(0)
				if bad >= 0 {
					at, bit = r.Uint64()%uint64(len(packets[0])), 1<<(r.Uint64()%8)
					packets[bad][at] ^= bit
				}
				p.VerifyMany(b, packets, verdicts, unix)
				for i, v := range verdicts {
					if (v == secure.Good) != (i != bad) {
						t.Fatalf("%d bytes, packet %d of %d spoilt at %d: packet %d is %v", n, bad, len(packets), at, i, v)
					}
				}
				if bad >= 0 {
					packets[bad][at] ^= bit
				}
			}
		}
	})
}

// TestVerifyManyEveryByte: no byte of a full packet is left out, in any lane.
func TestVerifyManyEveryByte(t *testing.T) {
	forMany(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		if p.Encrypts() || p.Mode() != secure.ModeRegular {
			return
		}
		b, verdicts := new(secure.Batch), make([]secure.Verdict, secure.Most)
		packets := make([][]byte, secure.Most)
		for i := range packets {
			msg := random(r, 391)
			packets[i] = plain.AppendDigest(msg, msg, 0)
		}
		for at := range packets[0] {
			for i := range packets {
				packets[i][at] ^= 4
				p.VerifyMany(b, packets, verdicts, 0)
				for k, v := range verdicts {
					if (v == secure.Good) != (k != i) {
						t.Fatalf("byte %d of packet %d: packet %d is %v", at, i, k, v)
					}
				}
				packets[i][at] ^= 4
			}
		}
	})
}

// TestVerifyManyTicks: each packet is judged by its own tick, as alone.
func TestVerifyManyTicks(t *testing.T) {
	const unix = 1_700_000_000
	forMany(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		if p.Mode() != secure.ModeTimeBased {
			return
		}
		for n := range 200 {
			b, verdicts := new(secure.Batch), make([]secure.Verdict, secure.Most)
			packets := make([][]byte, secure.Most)
			for i := range packets {
				msg := random(r, 100+n)
				packets[i] = plain.AppendDigest(msg, msg, unix+2*(int64(r.Uint64()%37)-18))
			}
			many, alone := p.Clone(), p.Clone()
			many.VerifyMany(b, packets, verdicts, unix)
			for i, packet := range packets {
				if want := alone.Verify(packet[:100+n], packet[100+n:], unix); verdicts[i] != want {
					t.Fatalf("%d bytes, packet %d: got %v, want %v", 100+n, i, verdicts[i], want)
				}
			}
			if many.LateOffset() != alone.LateOffset() {
				t.Fatalf("%d bytes: offset %d, want %d", 100+n, many.LateOffset(), alone.LateOffset())
			}
		}
	})
}

func TestManyAllocatesNothing(t *testing.T) {
	forMany(t, func(t *testing.T, r *rand.ChaCha8, p, plain *secure.Policy) {
		b, iv, verdicts := new(secure.Batch), new([secure.Most][16]byte), make([]secure.Verdict, secure.Most)
		packets := make([][]byte, secure.Most)
		for i := range packets {
			packets[i] = random(r, 1400)
		}
		none(t, "forged", func() { p.VerifyMany(b, packets, verdicts, benchUnix) })
		if p.Encrypts() {
			none(t, "seal", func() { p.SealCBCMany(b, packets, 1400, iv, benchUnix) })
		}
	})
}

func BenchmarkMany(b *testing.B) {
	p, err := secure.New(secure.Config{Name: "s", Encrypt: true, Cipher: secure.CBC128, Key: make([]byte, 16),
		Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	if !p.Many() {
		return // TestManyIsWhatTheCPUCan tells
	}
	batch, iv, verdicts := new(secure.Batch), new([secure.Most][16]byte), make([]secure.Verdict, secure.Most)
	packets := make([][]byte, secure.Most)
	for i := range packets {
		packets[i] = make([]byte, 1440, 1500)
	}
	for _, lanes := range secure.LanesForTest() {
		for _, n := range []int{3, secure.Most} {
			b.Run(fmt.Sprintf("seal/%d/%d", lanes, n), func(b *testing.B) {
				secure.UseLanesForTest(b, lanes)
				b.SetBytes(int64(n) * 1400)
				for b.Loop() {
					p.SealCBCMany(batch, packets[:n], 1400, iv, 0)
				}
			})
			b.Run(fmt.Sprintf("verify/%d/%d", lanes, n), func(b *testing.B) {
				secure.UseLanesForTest(b, lanes)
				b.SetBytes(int64(n) * 1400)
				for b.Loop() {
					p.VerifyMany(batch, packets[:n], verdicts, 0)
				}
			})
		}
	}
}
