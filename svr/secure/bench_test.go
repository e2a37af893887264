package secure_test

import (
	"fmt"
	"testing"

	"waymark/svr/secure"
)

var benchSizes = []int{64, 512, 1400}

const benchUnix = 1779000000

func key(n int) []byte {
	k := make([]byte, n)
	for i := range k {
		k[i] = byte(i*7 + 1)
	}
	return k
}

func cbcPolicy(t testing.TB, c secure.Cipher, d secure.Digest, m secure.Mode) *secure.Policy {
	return mustPolicy(t, secure.Config{
		Name: "p", Encrypt: c != secure.CipherNone, Cipher: c, Key: key(c.KeySize()), Mode: m, Digest: d, HMACKey: key(32),
	})
}

func bench(b *testing.B, name string, n int, f func()) {
	b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
		b.SetBytes(int64(n))
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
}

func BenchmarkCBC(b *testing.B) {
	for _, c := range []secure.Cipher{secure.CBC128, secure.CBC256} {
		p := cbcPolicy(b, c, secure.DigestNone, secure.ModeDisabled)
		for _, n := range benchSizes {
			iv, buf := [16]byte{}, make([]byte, n, n+secure.CBCOverhead)
			bench(b, c.String()+"/enc", n, func() { p.EncryptCBC(buf, n, &iv) })
			sealed := append([]byte(nil), p.EncryptCBC(buf, n, &iv)...)
			work := make([]byte, len(sealed))
			bench(b, c.String()+"/dec", n, func() {
				copy(work, sealed)
				if _, err := p.DecryptCBC(work); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	for _, d := range []secure.Digest{secure.DigestSHA1, secure.DigestSHA256128} {
		for _, m := range []secure.Mode{secure.ModeRegular, secure.ModeTimeBased} {
			p := cbcPolicy(b, secure.CipherNone, d, m)
			for _, n := range benchSizes {
				name := d.String() + "/" + m.String()
				msg := make([]byte, n, n+32)
				good := p.AppendDigest(nil, msg, benchUnix)
				last := p.AppendDigest(nil, msg, benchUnix+2)
				forged := make([]byte, len(good))
				bench(b, name+"/append", n, func() { p.AppendDigest(msg, msg, benchUnix) })
				bench(b, name+"/good", n, func() { p.Verify(msg, good, benchUnix) })
				bench(b, name+"/forged", n, func() { p.Verify(msg, forged, benchUnix) })
				if m == secure.ModeTimeBased {
					bench(b, name+"/good+1", n, func() { p.Verify(msg, last, benchUnix) })
				}
			}
		}
	}
}

// BenchmarkGCM is our own cipher beside the standard library's behind the same
// object.
func BenchmarkGCM(b *testing.B) {
	for _, size := range []int{16, 32} {
		for name, g := range map[string]*secure.GCM{"own": secure.OwnForTest(key(size)), "standard": secure.StandardForTest(key(size))} {
			for _, n := range benchSizes {
				buf, work := make([]byte, n+secure.GCMOverhead), make([]byte, n+secure.GCMOverhead)
				bench(b, fmt.Sprintf("%d/%s/seal", size*8, name), n, func() { _, _ = g.Seal(buf, n) })
				bench(b, fmt.Sprintf("%d/%s/seal+open", size*8, name), n, func() {
					sealed, _ := g.Seal(buf, n)
					if _, err := g.Open(work[:copy(work, sealed)]); err != nil {
						b.Fatal(err)
					}
				})
			}
		}
	}
}

// BenchmarkPacket is the whole protection of one packet: CBC and a time-based
// digest.
func BenchmarkPacket(b *testing.B) {
	for _, c := range []secure.Cipher{secure.CBC128, secure.CBC256} {
		p := cbcPolicy(b, c, secure.DigestSHA256128, secure.ModeTimeBased)
		ivs := secure.NewIVSource([32]byte{})
		for _, n := range benchSizes {
			var iv [16]byte
			var sealed []byte
			buf := make([]byte, n+64)
			bench(b, c.String()+"/seal", n, func() {
				ivs.Next(&iv)
				sealed = p.EncryptCBC(buf, n, &iv)
				sealed = p.AppendDigest(sealed, sealed, benchUnix)
			})
			work := make([]byte, len(sealed))
			bench(b, c.String()+"/open", n, func() {
				copy(work, sealed)
				end := len(work) - 16
				if p.Verify(work[:end], work[end:], benchUnix) != secure.Good {
					b.Fatal("bad")
				}
				if _, err := p.DecryptCBC(work[:end]); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkSetup is the key of one direction of one GCM session.
func BenchmarkSetup(b *testing.B) {
	service, salt := key(32), key(16)
	p := cbcPolicy(b, secure.GCM256, secure.DigestNone, secure.ModeDisabled)
	bench(b, "new", 1, func() { _, _ = secure.NewGCM(service, salt) })
	g := &secure.GCM{}
	bench(b, "policy", 1, func() { _ = p.SessionKey(g, salt) })
}

func BenchmarkRandom(b *testing.B) {
	r := secure.NewRandom([32]byte{1})
	bench(b, "uuid", 16, func() { r.UUID() })
	bench(b, "uint64", 8, func() { r.Uint64() })
}
