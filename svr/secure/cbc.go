package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// ErrDecrypt is every failure of a decryption: wrong length, key, padding or
// tag look the same.
var ErrDecrypt = errors.New("decryption failed")

// CBCOverhead is the most that CBC adds: 16 bytes of PKCS#7 padding and the
// 16-byte IV.
const CBCOverhead = 2 * aes.BlockSize

// reusable is a CBC mode that takes a new IV without being made again.
type reusable interface {
	cipher.BlockMode
	SetIV([]byte)
}

// cbc holds both directions of one key.
type cbc struct {
	enc, dec reusable
}

func newCBC(key []byte) (*cbc, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var iv [aes.BlockSize]byte
	return &cbc{
		enc: cipher.NewCBCEncrypter(block, iv[:]).(reusable),
		dec: cipher.NewCBCDecrypter(block, iv[:]).(reusable),
	}, nil
}

// EncryptCBC encrypts buf[:n] in place: PKCS#7 padding, ciphertext, then the
// IV, which must never repeat under a key and be unpredictable (see IVSource).
// It returns the longer slice of the same backing array, at most n+CBCOverhead
// bytes; nil if the capacity does not suffice or the cipher is GCM. Nothing
// (n == 0) stays nothing; a policy that does not encrypt returns buf[:n].
func (p *Policy) EncryptCBC(buf []byte, n int, iv *[16]byte) []byte {
	if !p.cfg.Encrypt || n == 0 {
		return buf[:n]
	}
	pad := aes.BlockSize - n%aes.BlockSize
	end := n + pad + aes.BlockSize
	if p.cbc == nil || end > cap(buf) {
		return nil
	}
	buf = buf[:end]
	for i := n; i < n+pad; i++ {
		buf[i] = byte(pad)
	}
	copy(buf[n+pad:], iv[:])
	p.cbc.enc.SetIV(buf[n+pad:])
	p.cbc.enc.CryptBlocks(buf[:n+pad], buf[:n+pad])
	return buf
}

// DecryptCBC decrypts ciphertext and IV in place and returns the plaintext, a
// prefix of b. Nothing stays nothing; a policy that does not encrypt returns b.
// Every failure is ErrDecrypt and leaves b with undefined content.
func (p *Policy) DecryptCBC(b []byte) ([]byte, error) {
	if !p.cfg.Encrypt || len(b) == 0 {
		return b, nil
	}
	if p.cbc == nil || len(b) < CBCOverhead || len(b)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	body := b[:len(b)-aes.BlockSize]
	p.cbc.dec.SetIV(b[len(body):])
	p.cbc.dec.CryptBlocks(body, body)
	pad, ok := padLength(body[len(body)-aes.BlockSize:])
	if !ok {
		return nil, ErrDecrypt
	}
	return body[:len(body)-pad], nil
}
