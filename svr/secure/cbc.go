package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
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

// cbc holds both directions of one key: the CPU's instructions by our own
// functions where there are any, else the standard library. Its encrypter with a
// new IV each time is as fast as any chaining over cipher.Block; its decrypter
// is not.
type cbc struct {
	keys  *aesKeys // nil: use the fields below
	chain [aes.BlockSize]byte
	block cipher.Block
	enc   reusable
}

func newCBC(key []byte) (*cbc, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	var iv [aes.BlockSize]byte
	c := &cbc{block: block, enc: cipher.NewCBCEncrypter(block, iv[:]).(reusable)}
	if haveAES {
		c.keys = newAESKeys(key)
	}
	return c, nil
}

// encrypt encrypts body, whole blocks, in place under the IV.
func (c *cbc) encrypt(body, iv []byte) {
	if c.keys != nil {
		c.chain = [aes.BlockSize]byte(iv)
		c.keys.encrypt(body, &c.chain)
		return
	}
	c.enc.SetIV(iv)
	c.enc.CryptBlocks(body, body)
}

// decrypt decrypts b, whole blocks of ciphertext and the IV behind them, in
// place. With the standard library it goes from the back, so that each block
// still finds the ciphertext before it, and mixes by words: a fifth faster than
// the standard decrypter, since the blocks do not wait for each other.
func (c *cbc) decrypt(b []byte) {
	end := len(b) - aes.BlockSize
	if c.keys != nil {
		c.chain = [aes.BlockSize]byte(b[end:])
		c.keys.decrypt(b[:end], &c.chain)
		return
	}
	for i := end - aes.BlockSize; i > 0; i -= aes.BlockSize {
		block := b[i : i+aes.BlockSize : i+aes.BlockSize]
		c.block.Decrypt(block, block)
		mix(block, b[i-aes.BlockSize:i])
	}
	c.block.Decrypt(b[:aes.BlockSize], b[:aes.BlockSize])
	mix(b[:aes.BlockSize], b[end:])
}

// mix xors the 16 bytes of a block with those of another.
func mix(block, with []byte) {
	order := binary.NativeEndian
	lo := order.Uint64(block) ^ order.Uint64(with)
	hi := order.Uint64(block[8:]) ^ order.Uint64(with[8:])
	order.PutUint64(block, lo)
	order.PutUint64(block[8:], hi)
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
	buf = padded(buf[:end], n, iv)
	p.cbc.encrypt(buf[:n+pad], buf[n+pad:])
	return buf
}

// padded writes padding behind the n bytes of plain text and the IV at the end.
func padded(buf []byte, n int, iv *[16]byte) []byte {
	at := len(buf) - aes.BlockSize
	for i := n; i < at; i++ {
		buf[i] = byte(at - n)
	}
	copy(buf[at:], iv[:])
	return buf
}

// SealCBC is EncryptCBC and then AppendDigest over the result, in one pass where
// the CPU can: ciphertext, IV, digest. Nothing (n == 0) stays nothing, without a
// digest. nil if the capacity does not suffice or the cipher is GCM.
func (p *Policy) SealCBC(buf []byte, n int, iv *[16]byte, unix int64) []byte {
	pad := aes.BlockSize - n%aes.BlockSize
	end := n + pad + aes.BlockSize
	if end+p.size > cap(buf) {
		return nil
	}
	if n == 0 {
		return buf[:0]
	}
	if p.stitch == nil {
		if buf = p.EncryptCBC(buf, n, iv); buf == nil {
			return nil
		}
		return p.AppendDigest(buf, buf, unix)
	}
	buf = padded(buf[:end], n, iv)
	return append(buf, p.stitch.run(buf, n+pad, p.end(Tick(unix)))[:p.size]...)
}

// SealCBCPair is SealCBC for the first na bytes of a and nb of b, under one IV
// each. Where the CPU can it takes little longer than one of them.
func (p *Policy) SealCBCPair(a, b []byte, na, nb int, iv *[2][aes.BlockSize]byte, unix int64) (x, y []byte) {
	ea, eb := na-na%aes.BlockSize+aes.BlockSize, nb-nb%aes.BlockSize+aes.BlockSize
	if p.stitch == nil || min(ea, eb) < macBlock || ea+aes.BlockSize+p.size > cap(a) || eb+aes.BlockSize+p.size > cap(b) {
		return p.SealCBC(a, na, &iv[0], unix), p.SealCBC(b, nb, &iv[1], unix)
	}
	a, b = padded(a[:ea+aes.BlockSize], na, &iv[0]), padded(b[:eb+aes.BlockSize], nb, &iv[1])
	p.stitch.runBoth(a, b, ea, eb, p.end(Tick(unix)))
	return append(a, p.twin.lane[0].sum[:p.size]...), append(b, p.twin.lane[1].sum[:p.size]...)
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
	p.cbc.decrypt(b)
	pad, ok := padLength(body[len(body)-aes.BlockSize:])
	if !ok {
		return nil, ErrDecrypt
	}
	return body[:len(body)-pad], nil
}
