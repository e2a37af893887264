package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"sync"
)

// stdKey is a key of the standard library's AES-GCM without pointers.
type stdKey struct {
	key [32]byte
	n   uint8 // its length, 0 without a key
}

func (k *stdKey) set(key []byte) { k.n = uint8(copy(k.key[:], key)) }

// seal is stdGCM.seal under the key.
func (k *stdKey) seal(counter uint64, b []byte) {
	s := k.lock()
	defer s.mu.Unlock()
	s.gcm.seal(counter, b)
}

// open is stdGCM.open under the key.
func (k *stdKey) open(counter uint64, b []byte) bool {
	s := k.lock()
	defer s.mu.Unlock()
	return s.gcm.open(counter, b)
}

// lock returns the key's place among those used lately, with its object, for the
// caller alone.
func (k *stdKey) lock() *stdPlace {
	s := &stdLately[binary.LittleEndian.Uint32(k.key[:])%uint32(len(stdLately))]
	s.mu.Lock()
	if s.gcm == nil || s.key != *k {
		s.key, s.gcm = *k, newStdGCM(k.key[:k.n])
	}
	return s
}

// stdPlace is one place of stdLately; mu guards the rest and the object's nonce.
type stdPlace struct {
	mu  sync.Mutex
	key stdKey
	gcm *stdGCM
}

// stdLately has the objects of keys that were used lately, by the keys' first
// bytes, which are as good as random.
var stdLately [1024]stdPlace

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
