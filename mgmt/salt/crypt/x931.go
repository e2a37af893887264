package crypt

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
)

// ANSI X9.31 padding: 6b bb … bb ba MESSAGE cc, or 6a MESSAGE cc where nothing
// is left to fill. The signature is the smaller of s and n-s; whoever verifies
// takes the one whose last nibble is c.

// SignX931 is Salt's "private encrypt". It is for constants of a key's life, not
// for every packet: math/big does not run in constant time, so the base is
// blinded, and the result is checked before it leaves.
func (k *Private) SignX931(message []byte) ([]byte, error) {
	size := (k.key.N.BitLen() + 7) / 8
	if len(message) > size-2 {
		return nil, fmt.Errorf("sign X9.31: %d bytes are too long", len(message))
	}
	padded := make([]byte, 0, size)
	if fill := size - 2 - len(message); fill == 0 {
		padded = append(padded, 0x6a)
	} else {
		padded = append(padded, 0x6b)
		padded = append(padded, bytes.Repeat([]byte{0xbb}, fill-1)...)
		padded = append(padded, 0xba)
	}
	padded = append(append(padded, message...), 0xcc)
	m := new(big.Int).SetBytes(padded)
	s, err := k.power(m)
	if err != nil {
		return nil, err
	}
	if other := new(big.Int).Sub(k.key.N, s); other.Cmp(s) < 0 {
		s = other
	}
	return s.FillBytes(make([]byte, size)), nil
}

// power is m^d mod n by the Chinese remainder theorem, blinded and checked.
func (k *Private) power(m *big.Int) (*big.Int, error) {
	n, e := k.key.N, big.NewInt(int64(k.key.E))
	var blind, unblind *big.Int
	for unblind == nil {
		var err error
		if blind, err = rand.Int(rand.Reader, n); err != nil {
			return nil, fmt.Errorf("blind: %w", err)
		}
		unblind = new(big.Int).ModInverse(blind, n)
	}
	c := new(big.Int).Exp(blind, e, n)
	c.Mod(c.Mul(c, m), n)
	p, q := k.key.Primes[0], k.key.Primes[1]
	pre := k.key.Precomputed
	s1, s2 := new(big.Int).Exp(c, pre.Dp, p), new(big.Int).Exp(c, pre.Dq, q)
	h := s1.Sub(s1, s2)
	h.Mod(h.Mul(h, pre.Qinv), p)
	s := h.Add(h.Mul(h, q), s2)
	s.Mod(s.Mul(s, unblind), n)
	if new(big.Int).Exp(s, e, n).Cmp(m) != 0 {
		return nil, fmt.Errorf("sign X9.31: %w", ErrSignature)
	}
	return s, nil
}

// RecoverX931 returns the message of a signature. As in OpenSSL an empty message
// is none.
func (k *Public) RecoverX931(sig []byte) ([]byte, error) {
	n := k.key.N
	s := new(big.Int).SetBytes(sig)
	if len(sig) != (n.BitLen()+7)/8 || s.Cmp(n) >= 0 {
		return nil, ErrSignature
	}
	m := s.Exp(s, big.NewInt(int64(k.key.E)), n)
	if m.Bit(3) != 1 || m.Bit(2) != 1 || m.Bit(1) != 0 || m.Bit(0) != 0 {
		m.Sub(n, m)
	}
	return unpadX931(m.FillBytes(make([]byte, len(sig))))
}

func unpadX931(b []byte) ([]byte, error) {
	last := len(b) - 1
	if b[last] != 0xcc {
		return nil, ErrSignature
	}
	switch b[0] {
	case 0x6a:
		return b[1:last], nil
	case 0x6b:
		i := 1
		for i < last && b[i] == 0xbb {
			i++
		}
		if i > 1 && i+1 < last && b[i] == 0xba {
			return b[i+1 : last], nil
		}
	}
	return nil, ErrSignature
}

// VerifyX931 checks that sig is of this message.
func (k *Public) VerifyX931(message, sig []byte) error {
	got, err := k.RecoverX931(sig)
	if err != nil || subtle.ConstantTimeCompare(got, message) != 1 {
		return ErrSignature
	}
	return nil
}
