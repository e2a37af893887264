package wire_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// The protections of profile 1 written down with the standard library alone, so
// that the vectors hold whatever the router's own package does.

func cbcSeal(key, iv, plain []byte) []byte {
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	b := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block(key), iv).CryptBlocks(b, b)
	return append(b, iv...)
}

func cbcOpen(t *testing.T, key, b []byte) []byte {
	t.Helper()
	cut := len(b) - aes.BlockSize
	if cut <= 0 || cut%aes.BlockSize != 0 {
		t.Fatalf("ciphertext of %d bytes", len(b))
	}
	plain := bytes.Clone(b[:cut])
	cipher.NewCBCDecrypter(block(key), b[cut:]).CryptBlocks(plain, plain)
	return plain[:cut-int(plain[cut-1])]
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return b
}

func sealMeta(v vector, b []byte) []byte {
	iv := v.IV
	if iv == nil {
		iv = v.MetadataIV
	}
	return cbcSeal(v.MetadataKey, iv, b)
}

func openMeta(t *testing.T, v vector, b []byte) []byte { return cbcOpen(t, v.MetadataKey, b) }

func encodeCBC(v vector, b []byte) []byte { return cbcSeal(v.PayloadKey, v.PayloadIV, b) }

func decodeCBC(t *testing.T, v vector, b []byte) []byte { return cbcOpen(t, v.PayloadKey, b) }

// gcmOf derives the key of one direction; counter 0 in a vector means 1.
func gcmOf(v vector) (cipher.AEAD, []byte) {
	key, err := hkdf.Key(sha256.New, v.ServiceKey, v.TLV46, "waymark 1 payload", len(v.ServiceKey))
	if err != nil {
		panic(err)
	}
	if v.Key != nil && !bytes.Equal(key, v.Key) {
		panic("derived key differs from the vector's")
	}
	aead, err := cipher.NewGCM(block(key))
	if err != nil {
		panic(err)
	}
	return aead, binary.BigEndian.AppendUint64(make([]byte, 4), max(v.Counter, 1))
}

func encodeGCM(v vector, b []byte) []byte {
	aead, nonce := gcmOf(v)
	return append(aead.Seal(nil, nonce, b, nil), nonce[4:]...)
}

func decodeGCM(t *testing.T, v vector, b []byte) []byte {
	t.Helper()
	aead, nonce := gcmOf(v)
	cut := len(b) - 8
	if !bytes.Equal(nonce[4:], b[cut:]) {
		t.Fatalf("counter: got %x, want %x", b[cut:], nonce[4:])
	}
	plain, err := aead.Open(nil, nonce, b[:cut], nil)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func hmac256(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, b := range parts {
		h.Write(b)
	}
	return h.Sum(nil)
}

func signRegular(v vector, b []byte) []byte { return hmac256(v.HMACKey, b)[:16] }

func signTick(v vector, b []byte) []byte {
	if uint32(v.Unix/2) != v.Tick {
		panic("tick is not half the seconds")
	}
	return hmac256(v.HMACKey, b, binary.BigEndian.AppendUint32(nil, v.Tick))[:16]
}

func appendSHA1(v vector, b []byte) []byte {
	h := hmac.New(sha1.New, v.HMACKey)
	h.Write(b)
	return h.Sum(bytes.Clone(b))
}

func appendSHA256(v vector, b []byte) []byte {
	return append(bytes.Clone(b), hmac256(v.HMACKey, b)...)
}

func appendSHA256Short(v vector, b []byte) []byte {
	return append(bytes.Clone(b), hmac256(v.HMACKey, b)[:16]...)
}
