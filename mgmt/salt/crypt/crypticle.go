// Package crypt holds Salt's cryptography: key texts and crypticles, RSA with
// OAEP, PKCS#1 v1.5 and ANSI X9.31, and fingerprints. Source: salt/crypt.py of
// 3006.16 as recorded in mgmt/salt/testdata/salt-crypto.json.
package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// A key text is base64 of an AES-192 key and the key of HMAC-SHA256.
const (
	aesKeySize = 24
	macKeySize = 32
	ivSize     = aes.BlockSize
	macSize    = sha256.Size
)

// Errors of this package.
var (
	ErrKeyText   = errors.New("key text is not 56 bytes in base64")
	ErrCrypticle = errors.New("wrong key or damaged ciphertext")
)

// Crypticle encrypts and authenticates with one key text. It may be used by
// many goroutines.
type Crypticle struct {
	text  string
	block cipher.Block
	mac   []byte
}

// NewKeyText makes a random key text.
func NewKeyText() string {
	var key [aesKeySize + macKeySize]byte
	rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

// ParseKeyText reads a key text.
func ParseKeyText(text string) (*Crypticle, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != aesKeySize+macKeySize {
		return nil, ErrKeyText
	}
	block, err := aes.NewCipher(key[:aesKeySize])
	if err != nil {
		return nil, fmt.Errorf("make crypticle: %w", err)
	}
	return &Crypticle{text, block, key[aesKeySize:]}, nil
}

// Text is the key text.
func (c *Crypticle) Text() string { return c.text }

func (c *Crypticle) sum(b []byte) []byte {
	h := hmac.New(sha256.New, c.mac)
	h.Write(b)
	return h.Sum(nil)
}

// Encrypt returns IV, AES-CBC of the padded plaintext, HMAC over both. The IV is
// read from random, which is crypto/rand.Reader except in tests.
func (c *Crypticle) Encrypt(random io.Reader, plain []byte) ([]byte, error) {
	pad := ivSize - len(plain)%ivSize
	out := make([]byte, ivSize+len(plain)+pad, ivSize+len(plain)+pad+macSize)
	if _, err := io.ReadFull(random, out[:ivSize]); err != nil {
		return nil, fmt.Errorf("choose IV: %w", err)
	}
	body := out[ivSize:]
	for i := copy(body, plain); i < len(body); i++ {
		body[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(c.block, out[:ivSize]).CryptBlocks(body, body)
	return append(out, c.sum(out)...), nil
}

// Decrypt checks the HMAC before it looks at anything else.
func (c *Crypticle) Decrypt(in []byte) ([]byte, error) {
	if len(in) < 2*ivSize+macSize || (len(in)-macSize)%ivSize != 0 {
		return nil, ErrCrypticle
	}
	body, sum := in[:len(in)-macSize], in[len(in)-macSize:]
	if !hmac.Equal(sum, c.sum(body)) {
		return nil, ErrCrypticle
	}
	plain := make([]byte, len(body)-ivSize)
	cipher.NewCBCDecrypter(c.block, body[:ivSize]).CryptBlocks(plain, body[ivSize:])
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > ivSize {
		return nil, ErrCrypticle
	}
	return plain[:len(plain)-pad], nil
}
