package secure

import (
	"crypto/aes"
	"encoding/binary"
)

// stitch encrypts a packet by CBC and computes its HMAC-SHA256 in one pass: both
// are chains of instructions that wait for each other, and the two chains run
// side by side. nil where the CPU or the policy does not allow it.
type stitch struct {
	keys         *aesKeys
	inner, outer [8]uint32           // SHA-256 states behind key^ipad and key^opad
	state        [8]uint32           // of the packet; here, so that it need not move to the heap
	tail         [4 * macBlock]byte  // end of a message with its padding
	chain        [aes.BlockSize]byte // of the packet
}

// newStitch makes a stitch for keys of a CBC cipher and a SHA-256 digest.
func newStitch(keys *aesKeys, hmacKey []byte) *stitch {
	s := &stitch{keys: keys}
	for i, pad := range [...]byte{0x36, 0x5c} {
		var block [macBlock]byte
		copy(block[:], hmacKey)
		for j := range block {
			block[j] ^= pad
		}
		to := &s.inner
		if i == 1 {
			to = &s.outer
		}
		*to = sha256Start
		shaBlocks(to, &sha256K, &block[0], 1)
	}
	return s
}

// run encrypts b[:n], whole blocks, in place and returns the HMAC over b, which
// has the IV behind the ciphertext, and extra (at most 16 bytes). The result is
// valid until the next run.
func (s *stitch) run(b []byte, n int, extra []byte) []byte {
	s.chain = [aes.BlockSize]byte(b[n : n+aes.BlockSize])
	s.state = s.inner
	whole := n / macBlock // blocks of the hash that are ciphertext only
	hashed := 0
	if whole > 0 {
		s.keys.encrypt(b[:macBlock], &s.chain)
		if hashed = (whole - 1) * macBlock; hashed > 0 {
			cbcEncryptHash(&s.keys.enc[0], s.keys.rounds, &s.chain, &s.state, &sha256K, &b[macBlock], whole-1)
		}
	}
	s.keys.encrypt(b[whole*macBlock:n], &s.chain)
	return s.finish(b[hashed:], hashed, extra)
}

// finish adds the rest of the message and makes the digest of the state.
func (s *stitch) finish(rest []byte, hashed int, extra []byte) []byte {
	n := copy(s.tail[:], rest)
	n += copy(s.tail[n:], extra)
	s.close(n, macBlock+hashed+n)
	s.state2tail()
	s.state = s.outer
	s.close(sha256Size, macBlock+sha256Size)
	s.state2tail()
	return s.tail[:sha256Size]
}

// close pads the n bytes in tail, the end of a message of total bytes, and adds
// them to the state (FIPS 180-4 5.1.1).
func (s *stitch) close(n, total int) {
	end := (n + 1 + 8 + macBlock - 1) / macBlock * macBlock
	clear(s.tail[n:end])
	s.tail[n] = 0x80
	binary.BigEndian.PutUint64(s.tail[end-8:], uint64(total)*8)
	shaBlocks(&s.state, &sha256K, &s.tail[0], end/macBlock)
}

func (s *stitch) state2tail() {
	for i, w := range s.state {
		binary.BigEndian.PutUint32(s.tail[4*i:], w)
	}
}

const sha256Size = 32

// Compile-time: what run leaves for finish (the last whole block, 48 bytes of
// ciphertext, IV, extra) and its padding fit tail.
var _ [4*macBlock - (macBlock + 48 + 16 + 16 + 9)]byte

// sha256Start is the initial hash value (FIPS 180-4 5.3.3).
var sha256Start = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// sha256K are the round constants (FIPS 180-4 4.2.2).
var sha256K = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
