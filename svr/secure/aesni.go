package secure

import (
	"crypto/aes"
	"encoding/binary"
)

// maxRoundKeys is the number of round keys of AES-256.
const maxRoundKeys = 15

// aesKeys are the expanded keys for the CPU's AES instructions.
type aesKeys struct {
	rounds int
	enc    [maxRoundKeys * aes.BlockSize]byte
	dec    [maxRoundKeys * aes.BlockSize]byte // in the order of use
}

// newAESKeys expands a key of 16 or 32 bytes (FIPS 197 5.2 and 5.3.5).
func newAESKeys(key []byte) *aesKeys {
	k := &aesKeys{}
	k.rounds = expandKey(&k.enc, key)
	for i := 0; i <= k.rounds; i++ {
		from := k.enc[(k.rounds-i)*aes.BlockSize:]
		to := k.dec[i*aes.BlockSize : (i+1)*aes.BlockSize]
		copy(to, from)
		if i > 0 && i < k.rounds {
			inverseKey(&to[0])
		}
	}
	return k
}

// expandKey writes the round keys of a key of 16 or 32 bytes (FIPS 197 5.2) and
// returns their number less one, the rounds. No memory is made, and the time
// tells nothing about the key.
func expandKey(enc *[maxRoundKeys * aes.BlockSize]byte, key []byte) int {
	n := len(key) / 4
	rounds := n + 6
	copy(enc[:], key)
	t := binary.BigEndian.Uint32(key[len(key)-4:])
	rcon := uint32(1) << 24
	for i := n; i < 4*(rounds+1); i++ {
		switch {
		case i%n == 0:
			t = subWord(t<<8|t>>24) ^ rcon
			rcon <<= 1
			if rcon == 0 { // 0x80 doubled in GF(2^8)
				rcon = 0x1b << 24
			}
		case n > 6 && i%n == 4:
			t = subWord(t)
		}
		t ^= binary.BigEndian.Uint32(enc[4*(i-n):])
		binary.BigEndian.PutUint32(enc[4*i:], t)
	}
	return rounds
}

// encrypt encrypts b, whole blocks, in place; chain is the IV, then the last
// block.
func (k *aesKeys) encrypt(b []byte, chain *[aes.BlockSize]byte) {
	if len(b) > 0 {
		cbcEncrypt(&k.enc[0], k.rounds, chain, &b[0], len(b)/aes.BlockSize)
	}
}

// decrypt decrypts b, whole blocks, in place.
func (k *aesKeys) decrypt(b []byte, iv *[aes.BlockSize]byte) {
	if len(b) > 0 {
		cbcDecrypt(&k.dec[0], k.rounds, iv, &b[0], len(b)/aes.BlockSize)
	}
}
