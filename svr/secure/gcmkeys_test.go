//go:build linux && (amd64 || arm64)

package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// needGCM fails where our own cipher cannot be tested.
func needGCM(t testing.TB) {
	if !haveGCM {
		t.Fatal("this CPU has no instructions for AES-GCM, the standard library does the work")
	}
}

func randomBytes(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

func newKeys(key []byte) *gcmKeys {
	k := &gcmKeys{}
	k.expand(key)
	return k
}

func newBlock(t testing.TB, key []byte) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newAEAD(t testing.TB, key []byte) cipher.AEAD {
	t.Helper()
	a, err := cipher.NewGCM(newBlock(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fenced is a copy of b between bytes that nobody may touch.
type fenced struct {
	whole []byte
	b     []byte
}

func fence(b []byte, shift int) fenced {
	whole := bytes.Repeat([]byte{0xa5}, shift+len(b)+64)
	f := fenced{whole, whole[shift : shift+len(b) : shift+len(b)]}
	copy(f.b, b)
	return f
}

func (f fenced) broken() bool {
	rest := bytes.Clone(f.whole)
	at := cap(f.whole) - cap(f.b) - 64
	copy(rest[at:], bytes.Repeat([]byte{0xa5}, len(f.b)))
	return !bytes.Equal(rest, bytes.Repeat([]byte{0xa5}, len(rest)))
}

// sealBothWays holds seal and open against the standard library for one text,
// which begins shift bytes into a piece of memory.
func sealBothWays(t testing.TB, k *gcmKeys, std cipher.AEAD, nonce, text []byte, shift int) {
	t.Helper()
	start := [16]byte(append(bytes.Clone(nonce), 0, 0, 0, 1))
	want := std.Seal(nil, nonce, text, nil)
	f := fence(append(bytes.Clone(text), "what was here..."...), shift)
	k.seal(&start, f.b)
	if !bytes.Equal(f.b, want) || f.broken() {
		t.Fatalf("seal of %d bytes: got %x, want %x, memory around it broken: %v", len(text), f.b, want, f.broken())
	}
	opened := append(bytes.Clone(text), want[len(text):]...) // the tag stays
	if ok := k.open(&start, f.b); !ok || !bytes.Equal(f.b, opened) || f.broken() {
		t.Fatalf("open of %d bytes: %v, got %x, want %x, memory around it broken: %v", len(text), ok, f.b, text, f.broken())
	}
}

// TestGCMLengths holds every length against the standard library, at every
// alignment.
func TestGCMLengths(t *testing.T) {
	needGCM(t)
	r := rand.NewChaCha8([32]byte{2})
	for _, size := range []int{16, 32} {
		for n := range 2101 {
			key := randomBytes(r, size)
			sealBothWays(t, newKeys(key), newAEAD(t, key), randomBytes(r, gcmNonce), randomBytes(r, n), n%17)
		}
		for _, n := range []int{4095, 9000, 65535} {
			key := randomBytes(r, size)
			sealBothWays(t, newKeys(key), newAEAD(t, key), randomBytes(r, gcmNonce), randomBytes(r, n), 3)
		}
	}
}

// published are the test cases without additional data and with a nonce of 96
// bits of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
var published = []struct{ name, key, nonce, plain, sealed, tag string }{
	{"1", "00000000000000000000000000000000", "000000000000000000000000", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{"2", "00000000000000000000000000000000", "000000000000000000000000", "00000000000000000000000000000000",
		"0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"},
	{"3", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
		"4d5c2af327cd64a62cf35abd2ba6fab4"},
	{"13", "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
		"530f8afbc74536b9a963b4f1c4cb738b"},
	{"14", "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
		"00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{"15", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
		"b094dac5d93471bdec1a502270e3cc6c"},
}

func TestGCMPublished(t *testing.T) {
	needGCM(t)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range published {
		t.Run(c.name, func(t *testing.T) {
			k, start := newKeys(unhex(c.key)), [16]byte(unhex(c.nonce+"00000001"))
			b := append(unhex(c.plain), make([]byte, gcmTag)...)
			if k.seal(&start, b); hex.EncodeToString(b) != c.sealed+c.tag {
				t.Errorf("got %x, want %s", b, c.sealed+c.tag)
			}
			if ok := k.open(&start, b); !ok || hex.EncodeToString(b[:len(b)-gcmTag]) != c.plain {
				t.Errorf("opened %x, %v, want %s", b, ok, c.plain)
			}
		})
	}
}

// TestKeySchedule holds the round keys of FIPS 197, appendices A.1 and A.3.
func TestKeySchedule(t *testing.T) {
	needGCM(t)
	for _, c := range []struct{ key, last string }{
		{"2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "fe4890d1e6188d0b046df344706c631e"},
	} {
		key, _ := hex.DecodeString(c.key)
		k := newKeys(key)
		last := k.enc[16*k.rounds:][:16]
		if hex.EncodeToString(last) != c.last {
			t.Errorf("key of %d bytes: last round key %x, want %s", len(key), last, c.last)
		}
	}
}

// modelMul is the multiplication of SP 800-38D 6.3, bit by bit.
func modelMul(x, y [16]byte) (z [16]byte) {
	v := y
	for i := range 128 {
		if x[i/8]>>(7-i%8)&1 == 1 {
			for j := range z {
				z[j] ^= v[j]
			}
		}
		low := v[15] & 1
		for j := 15; j > 0; j-- {
			v[j] = v[j]>>1 | v[j-1]<<7
		}
		v[0] = v[0]>>1 ^ low*0xe1
	}
	return z
}

// modelSeal is SP 800-38D 7.1 from J0 on, word by word, over any block cipher.
func modelSeal(e func(b [16]byte) [16]byte, start [16]byte, text []byte) []byte {
	h := e([16]byte{})
	out, y, ctr := bytes.Clone(text), [16]byte{}, start
	absorb := func(b []byte) {
		for i, c := range b {
			y[i] ^= c
		}
		y = modelMul(y, h)
	}
	for at := 0; at < len(out); at += 16 {
		binary.BigEndian.PutUint32(ctr[12:], binary.BigEndian.Uint32(ctr[12:])+1)
		block := out[at:min(at+16, len(out))]
		for i, c := range e(ctr) {
			if i < len(block) {
				block[i] ^= c
			}
		}
		absorb(block)
	}
	absorb(binary.BigEndian.AppendUint64(make([]byte, 8), uint64(len(text))*8))
	for i, c := range e(start) {
		y[i] ^= c
	}
	return append(out, y[:]...)
}

// TestGCMCounterWraps: the last word of the counter block, and nothing before
// it, goes on from 0 behind 2^32-1. No packet is that long; J0 is set for it.
func TestGCMCounterWraps(t *testing.T) {
	needGCM(t)
	r := rand.NewChaCha8([32]byte{3})
	for _, size := range []int{16, 32} {
		key := randomBytes(r, size)
		block := newBlock(t, key)
		e := func(b [16]byte) [16]byte { block.Encrypt(b[:], b[:]); return b }
		for before := range uint32(40) {
			start := [16]byte(randomBytes(r, 16))
			binary.BigEndian.PutUint32(start[12:], ^before)
			holdModel(t, newKeys(key), e, start, randomBytes(r, 700))
		}
	}
}

func holdModel(t *testing.T, k *gcmKeys, e func(b [16]byte) [16]byte, start [16]byte, text []byte) {
	t.Helper()
	want := modelSeal(e, start, text)
	b := append(bytes.Clone(text), make([]byte, gcmTag)...)
	if k.seal(&start, b); !bytes.Equal(b, want) {
		t.Errorf("J0 %x, %d bytes: got %x, want %x", start, len(text), b, want)
	}
	if ok := k.open(&start, b); !ok || !bytes.Equal(b[:len(text)], text) {
		t.Errorf("J0 %x, %d bytes: opened %x, %v, want %x", start, len(text), b, ok, text)
	}
}

// TestGHASHEdges gives the hash key values that no test would meet by chance:
// none, one, the single ends, everything. The last round key makes E(0) what is
// wanted, and the model gets the same block cipher.
func TestGHASHEdges(t *testing.T) {
	needGCM(t)
	r := rand.NewChaCha8([32]byte{4})
	ones := [16]byte(bytes.Repeat([]byte{0xff}, 16))
	for _, h := range [][16]byte{{}, {0x80}, {15: 1}, {0x40}, {7: 1}, {8: 0x80}, {0xe1}, {15: 0x80}, ones} {
		key := randomBytes(r, 16+16*int(r.Uint64()%2))
		block := newBlock(t, key)
		k := newKeys(key)
		var change [16]byte
		block.Encrypt(change[:], change[:])
		for i := range change {
			change[i] ^= h[i]
			k.enc[16*k.rounds+uint64(i)] ^= change[i]
		}
		gcmPowers(k)
		e := func(b [16]byte) [16]byte {
			block.Encrypt(b[:], b[:])
			for i := range b {
				b[i] ^= change[i]
			}
			return b
		}
		for n := range 540 {
			holdModel(t, k, e, [16]byte(randomBytes(r, 16)), randomBytes(r, n))
		}
		holdModel(t, k, e, [16]byte{}, bytes.Repeat([]byte{0xff}, 1000))
	}
}

// TestGCMFlippedBits: whatever bit of tag or cipher text changes, the packet is
// refused and no plaintext stays.
func TestGCMFlippedBits(t *testing.T) {
	needGCM(t)
	r := rand.NewChaCha8([32]byte{5})
	for _, n := range []int{0, 1, 15, 16, 17, 64, 65, 112, 113, 127, 128, 129, 240, 241, 255, 256, 257, 300, 512, 700} {
		key := randomBytes(r, 32)
		k, start := newKeys(key), [16]byte(randomBytes(r, 16))
		sealed := append(randomBytes(r, n), make([]byte, gcmTag)...)
		k.seal(&start, sealed)
		for bit := range 8 * len(sealed) {
			forged := bytes.Clone(sealed)
			forged[bit/8] ^= 1 << (bit % 8)
			if k.open(&start, forged) || !bytes.Equal(forged, make([]byte, len(forged))) {
				t.Fatalf("%d bytes, bit %d: accepted, or %x stays", n, bit, forged)
			}
		}
		if !k.open(&start, sealed) {
			t.Fatalf("%d bytes: the right one was refused", n)
		}
	}
}

// TestRekeyed: nothing of an earlier key stays, whichever the sizes.
func TestRekeyed(t *testing.T) {
	needGCM(t)
	r := rand.NewChaCha8([32]byte{6})
	k := &gcmKeys{}
	for i := range 50 {
		key := randomBytes(r, 16+16*(i/3%2))
		k.expand(key)
		sealBothWays(t, k, newAEAD(t, key), randomBytes(r, gcmNonce), randomBytes(r, 100+i*7), 0)
	}
}

// FuzzGCM holds our cipher against the standard library, and that it accepts a
// packet only where the library does.
func FuzzGCM(f *testing.F) {
	needGCM(f)
	for _, n := range []int{0, 1, 16, 63, 64, 65, 128, 200, 255, 256, 400, 1400} {
		f.Add(make([]byte, 16+16*(n%2)), make([]byte, 12), make([]byte, n))
	}
	f.Fuzz(func(t *testing.T, key, nonce, text []byte) {
		key = append(key, make([]byte, 32)...)[:16+16*(len(key)/17%2)]
		nonce = append(nonce, make([]byte, 12)...)[:12]
		k, std := newKeys(key), newAEAD(t, key)
		for way := range gcmWays {
			useWay(t, way)
			sealBothWays(t, k, std, nonce, text, len(text)%16)
			if len(text) >= gcmTag {
				openReceived(t, k, std, nonce, text)
			}
		}
	})
}

// openReceived holds open against the standard library for something that may never
// have been sealed.
func openReceived(t *testing.T, k *gcmKeys, std cipher.AEAD, nonce, b []byte) {
	want, err := std.Open(nil, nonce, b, nil)
	start := [16]byte(append(bytes.Clone(nonce), 0, 0, 0, 1))
	got := bytes.Clone(b)
	if ok := k.open(&start, got); ok != (err == nil) || ok && !bytes.Equal(got[:len(want)], want) {
		t.Fatalf("open of %x: %v, %x, want %v, %x", b, ok, got, err, want)
	}
}
