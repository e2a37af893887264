package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// stdGCM is the standard library's AES-GCM, for CPUs whose instructions we do
// not use. It cannot be given another key.
type stdGCM struct {
	aead  cipher.AEAD
	nonce [gcmNonce]byte // here, so that it need not move to the heap
}

// newStdGCM takes a key of a right length.
func newStdGCM(key []byte) *stdGCM {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("secure: session key: " + err.Error())
	}
	s := &stdGCM{}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		panic("secure: session key: " + err.Error())
	}
	return s
}

// seal encrypts b but its last 16 bytes in place and writes the tag there.
func (s *stdGCM) seal(counter uint64, b []byte) {
	binary.BigEndian.PutUint64(s.nonce[gcmNonce-8:], counter)
	s.aead.Seal(b[:0], s.nonce[:], b[:len(b)-gcmTag], nil)
}

// open decrypts b but its last 16 bytes, the tag, in place and tells whether the
// tag was right; if not, the library has wiped the plaintext.
func (s *stdGCM) open(counter uint64, b []byte) bool {
	binary.BigEndian.PutUint64(s.nonce[gcmNonce-8:], counter)
	_, err := s.aead.Open(b[:0], s.nonce[:], b, nil)
	return err == nil
}
