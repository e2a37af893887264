package secure

import "crypto/aes"

// gcmKeys is an expanded AES-GCM key for the CPU's instructions, without
// pointers. The assembly reads the fields by the names here.
type gcmKeys struct {
	enc    [maxRoundKeys * aes.BlockSize]byte
	pow    [gcmHashed][aes.BlockSize]byte // the hash key's powers from 1 on, in the CPU's form and order
	mid    [gcmSums]uint64                // the sum of each low power's halves
	rounds uint64                         // 10 or 14, 0 without a key
}

// Compile-time: there is no sum without its power.
var _ [len(gcmKeys{}.pow) - len(gcmKeys{}.mid)]struct{}

// expand makes k that of a key of 16 or 32 bytes.
func (k *gcmKeys) expand(key []byte) {
	k.rounds = uint64(expandKey(&k.enc, key))
	gcmPowers(k)
}

// seal encrypts b but its last 16 bytes in place and writes the tag there. start
// is J0 of SP 800-38D 7.1. There is no additional data.
func (k *gcmKeys) seal(start *[aes.BlockSize]byte, b []byte) {
	n := len(b) - gcmTag
	gcmSeal(k, start, &b[:n+gcmTag][0], n)
}

// open decrypts b but its last 16 bytes, the tag, in place and tells whether the
// tag was right; if not, b is wiped. b must not be shorter than a tag.
func (k *gcmKeys) open(start *[aes.BlockSize]byte, b []byte) bool {
	n := len(b) - gcmTag
	if gcmOpen(k, start, &b[:n+gcmTag][0], n) != 0 {
		clear(b)
		return false
	}
	return true
}
