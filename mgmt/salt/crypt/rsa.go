package crypt

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// Names of algorithms as they stand in envelopes.
const (
	OAEPSHA1   = "OAEP-SHA1"
	OAEPSHA224 = "OAEP-SHA224"
	PKCSSHA1   = "PKCS1v15-SHA1"
	PKCSSHA224 = "PKCS1v15-SHA224"
)

// Bits of the keys that are accepted: weaker ones are none, larger ones cost
// too much on a box.
const (
	minBits = 2048
	maxBits = 8192
)

// Errors of keys and signatures.
var (
	ErrKey       = errors.New("no RSA key of 2048 to 8192 bits")
	ErrAlgorithm = errors.New("unknown algorithm")
	ErrSignature = errors.New("signature does not verify")
)

// Public is an RSA key of a peer.
type Public struct {
	key *rsa.PublicKey
}

// Private is our RSA key.
type Private struct {
	key *rsa.PrivateKey
	Public
}

// Generate makes a key of so many bits.
func Generate(bits int) (*Private, error) {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make RSA key: %w", err)
	}
	return newPrivate(k)
}

func newPrivate(k *rsa.PrivateKey) (*Private, error) {
	if n := k.N.BitLen(); n < minBits || n > maxBits {
		return nil, ErrKey
	}
	k.Precompute()
	return &Private{k, Public{&k.PublicKey}}, nil
}

// ParsePrivate reads PEM of PKCS#1 (Salt's own form) or PKCS#8.
func ParsePrivate(text []byte) (*Private, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("parse private key: %w", ErrKey)
	}
	if block.Type == "RSA PRIVATE KEY" {
		k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse private key: %w", err)
		}
		return newPrivate(k)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	k, ok := any.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("parse private key: %w", ErrKey)
	}
	return newPrivate(k)
}

// PEM is the private key in Salt's form, PKCS#1.
func (k *Private) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.key)})
}

// ParsePublic reads PEM of SubjectPublicKeyInfo or PKCS#1.
func ParsePublic(text string) (*Public, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("parse public key: %w", ErrKey)
	}
	var k *rsa.PublicKey
	if block.Type == "RSA PUBLIC KEY" {
		k, _ = x509.ParsePKCS1PublicKey(block.Bytes)
	} else if any, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		k, _ = any.(*rsa.PublicKey)
	}
	if k == nil || k.N.BitLen() < minBits || k.N.BitLen() > maxBits || k.E > 1<<31-1 {
		return nil, fmt.Errorf("parse public key: %w", ErrKey)
	}
	return &Public{k}, nil
}

// PEM is the key as SubjectPublicKeyInfo without the last newline, as Salt
// sends it.
func (k *Public) PEM() string {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return "" // cannot be: it was parsed or made
	}
	return strings.TrimSuffix(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "\n")
}

// Equal compares keys, not texts.
func (k *Public) Equal(o *Public) bool { return o != nil && k.key.Equal(o.key) }

func oaepHash(alg string) (hash.Hash, error) {
	switch alg {
	case OAEPSHA1:
		return sha1.New(), nil
	case OAEPSHA224:
		return sha256.New224(), nil
	}
	return nil, fmt.Errorf("%w: %.32q", ErrAlgorithm, alg)
}

// Encrypt is OAEP.
func (k *Public) Encrypt(alg string, plain []byte) ([]byte, error) {
	h, err := oaepHash(alg)
	if err != nil {
		return nil, err
	}
	out, err := rsa.EncryptOAEP(h, rand.Reader, k.key, plain, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypt for peer: %w", err)
	}
	return out, nil
}

// Decrypt is OAEP.
func (k *Private) Decrypt(alg string, in []byte) ([]byte, error) {
	h, err := oaepHash(alg)
	if err != nil {
		return nil, err
	}
	out, err := rsa.DecryptOAEP(h, nil, k.key, in, nil)
	if err != nil {
		return nil, fmt.Errorf("decrypt with own key: %w", err)
	}
	return out, nil
}

func digest(alg string, message []byte) (crypto.Hash, []byte, error) {
	switch alg {
	case PKCSSHA1:
		d := sha1.Sum(message)
		return crypto.SHA1, d[:], nil
	case PKCSSHA224:
		d := sha256.Sum224(message)
		return crypto.SHA224, d[:], nil
	}
	return 0, nil, fmt.Errorf("%w: %.32q", ErrAlgorithm, alg)
}

// Sign is PKCS#1 v1.5; the same message always has the same signature.
func (k *Private) Sign(alg string, message []byte) ([]byte, error) {
	h, d, err := digest(alg, message)
	if err != nil {
		return nil, err
	}
	sig, err := rsa.SignPKCS1v15(nil, k.key, h, d)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

// Verify is PKCS#1 v1.5.
func (k *Public) Verify(alg string, message, sig []byte) error {
	h, d, err := digest(alg, message)
	if err != nil {
		return err
	}
	if rsa.VerifyPKCS1v15(k.key, h, d, sig) != nil {
		return ErrSignature
	}
	return nil
}

// Fingerprint is what salt-key shows: the digest ("sha256" or "md5") of the
// lines of a PEM text with their newlines, without those of BEGIN and END.
func Fingerprint(text, sum string) string {
	var h hash.Hash
	switch sum {
	case "sha256":
		h = sha256.New()
	case "md5":
		h = md5.New()
	default:
		return ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "-----") {
			h.Write([]byte(line + "\n"))
		}
	}
	pairs := bytes.Buffer{}
	for i, b := range h.Sum(nil) {
		if i > 0 {
			pairs.WriteByte(':')
		}
		pairs.WriteString(hex.EncodeToString([]byte{b}))
	}
	return pairs.String()
}
