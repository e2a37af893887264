package secure_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"testing"

	"waymark/svr/secure"
)

// TestKeystream compares uneven reads with AES-256-CTR of the standard library.
func TestKeystream(t *testing.T) {
	seed := [secure.SeedSize]byte(key(32))
	block, err := aes.NewCipher(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 5000)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(want, want)
	r := secure.NewRandom(seed)
	got := make([]byte, 5000)
	for at, n := 0, 0; at < len(got); at += n {
		n = min((n*7+3)%1100, len(got)-at)
		r.Fill(got[at : at+n])
	}
	if string(got) != string(want) {
		t.Error("not the keystream")
	}
	ivs, iv := secure.NewIVSource(seed), [16]byte{}
	for at := 0; at+16 <= len(want); at += 16 {
		if ivs.Next(&iv); string(iv[:]) != string(want[at:at+16]) {
			t.Fatalf("IV at %d: %x, want %x", at, iv, want[at:at+16])
		}
	}
}

func TestRandomKinds(t *testing.T) {
	r := secure.NewRandom([32]byte{1})
	seen := map[[16]byte]bool{}
	var ones uint64
	for range 1000 {
		u := r.UUID()
		if u[6]>>4 != 4 || u[8]>>6 != 2 || seen[u] {
			t.Fatalf("uuid %x, seen %v", u, seen[u])
		}
		seen[u] = true
		b := r.Bytes16()
		for v := binary.LittleEndian.Uint64(b[:]) ^ r.Uint64(); v != 0; v &= v - 1 {
			ones++
		}
	}
	if ones < 31000 || ones > 33000 { // 32,000 ± 8 standard deviations
		t.Errorf("%d of 64,000 bits set", ones)
	}
}

func TestReseed(t *testing.T) {
	a, b := secure.NewRandom([32]byte{1}), secure.NewRandom([32]byte{2})
	if a.Uint64() == b.Uint64() {
		t.Error("two seeds, one number")
	}
	a.Reseed([32]byte{3})
	b.Reseed([32]byte{3})
	if got, want := a.Uint64(), b.Uint64(); got != want {
		t.Errorf("same seed: %x and %x", got, want)
	}
	s := secure.NewIVSource([32]byte{1})
	var x, y [16]byte
	s.Next(&x)
	s.Reseed([32]byte{1})
	if s.Next(&y); x != y {
		t.Errorf("same seed: %x and %x", x, y)
	}
}
