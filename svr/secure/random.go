package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// SeedSize is the length of a seed: an AES-256 key.
const SeedSize = 32

// keystream is AES-256-CTR from block 0 under a seed, made in portions. Bytes
// that were handed out are wiped from the buffer.
type keystream struct {
	ctr  cipher.Stream
	used int
	buf  [512]byte
}

func (k *keystream) seed(seed *[SeedSize]byte) {
	block, err := aes.NewCipher(seed[:])
	if err != nil {
		panic("secure: seed: " + err.Error())
	}
	var zero [aes.BlockSize]byte
	k.ctr = cipher.NewCTR(block, zero[:])
	k.used = len(k.buf)
}

// read fills b, however long it is.
func (k *keystream) read(b []byte) {
	for len(b) > 0 {
		if k.used == len(k.buf) {
			clear(k.buf[:])
			k.ctr.XORKeyStream(k.buf[:], k.buf[:])
			k.used = 0
		}
		n := copy(b, k.buf[k.used:])
		clear(k.buf[k.used : k.used+n])
		k.used += n
		b = b[n:]
	}
}

// IVSource makes IVs for CBC: an AES-256-CTR keystream. One goroutine at a time,
// each worker with a seed of its own from the kernel: the same seed gives the
// same IVs.
type IVSource struct{ k keystream }

// NewIVSource starts a source.
func NewIVSource(seed [SeedSize]byte) *IVSource {
	s := &IVSource{}
	s.Reseed(seed)
	return s
}

// Reseed goes on under a new seed; it allocates.
func (s *IVSource) Reseed(seed [SeedSize]byte) { s.k.seed(&seed) }

// Next puts 16 unpredictable bytes into iv.
func (s *IVSource) Next(iv *[16]byte) { s.k.read(iv[:]) }

// Random makes unpredictable numbers, UUIDs and salts: an AES-256-CTR
// keystream. One goroutine at a time; the seed comes from the kernel and is
// used once.
type Random struct{ k keystream }

// NewRandom starts a generator.
func NewRandom(seed [SeedSize]byte) *Random {
	r := &Random{}
	r.Reseed(seed)
	return r
}

// Reseed goes on under a new seed; it allocates.
func (r *Random) Reseed(seed [SeedSize]byte) { r.k.seed(&seed) }

// Fill puts random bytes into all of b.
func (r *Random) Fill(b []byte) { r.k.read(b) }

// Uint64 returns 64 random bits.
func (r *Random) Uint64() uint64 {
	var b [8]byte
	r.k.read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Bytes16 returns 16 random bytes, such as a TLV 46.
func (r *Random) Bytes16() (b [16]byte) {
	r.k.read(b[:])
	return b
}

// UUID returns a version 4 UUID (RFC 9562, 5.4).
func (r *Random) UUID() (u [16]byte) {
	r.k.read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}
