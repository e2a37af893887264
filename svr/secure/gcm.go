package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	gcmTag     = 16
	gcmCounter = 8
	gcmNonce   = 12

	// GCMOverhead is what GCM adds to non-empty data: tag and counter.
	GCMOverhead = gcmTag + gcmCounter
	// SaltSize is the length of TLV 46, the salt of a direction's key.
	SaltSize = 16
)

var (
	// ErrReplay is a counter seen before or older than the window. What is
	// wrong with the packet otherwise was not looked at.
	ErrReplay = errors.New("replayed or too old")
	// ErrCounter means that the counter ran out: make a new handshake.
	ErrCounter = errors.New("packet counter exhausted")
	// ErrRoom means that the buffer has no room for tag and counter.
	ErrRoom = errors.New("no room in buffer")
)

// GCM protects the payload of one direction of one session. The sender uses
// Seal only, the receiver Open only. One goroutine at a time.
//
// It takes about 1 KB; parked, while its session is idle, about 250 bytes.
type GCM struct {
	aead    cipher.AEAD    // nil while parked
	sent    uint64         // counter of the newest packet sealed
	nonce   [gcmNonce]byte // 4 zero bytes, counter big-endian
	keySize uint8
	key     [32]byte // keySize bytes of it
	seen    window   // receiver's
}

// NewGCM makes the key of a direction from the service's key (16 or 32 bytes)
// and the TLV 46 of that direction (SaltSize random bytes, new at each
// handshake). The same pair must never seal twice from counter 1. Errors: ErrKey.
func NewGCM(serviceKey, tlv46 []byte) (*GCM, error) {
	return newGCM(newDeriver(), serviceKey, tlv46)
}

// SessionKey is NewGCM with the key of the policy, whose cipher must be GCM, and
// with fewer allocations. Errors: ErrCipher, ErrKey.
func (p *Policy) SessionKey(tlv46 []byte) (*GCM, error) {
	if !p.Cipher().GCM() {
		return nil, fmt.Errorf("session key: %w: %v", ErrCipher, p.Cipher())
	}
	return newGCM(p.kdf, p.cfg.Key, tlv46)
}

func newGCM(d *deriver, serviceKey, tlv46 []byte) (*GCM, error) {
	if n := len(serviceKey); n != GCM128.KeySize() && n != GCM256.KeySize() {
		return nil, fmt.Errorf("service key: %w: %d bytes", ErrKey, n)
	}
	if len(tlv46) != SaltSize {
		return nil, fmt.Errorf("session key salt: %w: %d bytes", ErrKey, len(tlv46))
	}
	g := &GCM{keySize: uint8(len(serviceKey))}
	copy(g.key[:], d.payloadKey(serviceKey, tlv46)[:len(serviceKey)])
	g.expand()
	return g, nil
}

// expand makes the key schedule; the key has a right length.
func (g *GCM) expand() {
	block, err := aes.NewCipher(g.key[:g.keySize])
	if err != nil {
		panic("secure: session key: " + err.Error())
	}
	if g.aead, err = cipher.NewGCM(block); err != nil {
		panic("secure: session key: " + err.Error())
	}
}

// Park gives the key schedule back, three quarters of the memory, and keeps key,
// counter and window. The next Seal or Open makes it again, which allocates: for
// sessions that are idle.
func (g *GCM) Park() { g.aead = nil }

// Parked tells whether the next packet has to make the key schedule.
func (g *GCM) Parked() bool { return g.aead == nil }

// Counter returns the counter of the newest packet sealed, 0 if none.
func (g *GCM) Counter() uint64 { return g.sent }

// Seal encrypts buf[:n] in place and appends the tag (16 bytes) and the counter
// (8, big-endian, from 1). It returns the longer slice of the same backing
// array. Nothing (n == 0) stays nothing and uses no counter. Errors: ErrRoom,
// ErrCounter; buf is then unchanged.
func (g *GCM) Seal(buf []byte, n int) ([]byte, error) {
	if n == 0 {
		return buf[:0], nil
	}
	if n+GCMOverhead > cap(buf) {
		return nil, ErrRoom
	}
	if g.sent == math.MaxUint64 {
		return nil, ErrCounter
	}
	if g.aead == nil {
		g.expand()
	}
	g.sent++
	binary.BigEndian.PutUint64(g.nonce[4:], g.sent)
	out := g.aead.Seal(buf[:0], g.nonce[:], buf[:n], nil)
	return binary.BigEndian.AppendUint64(out, g.sent), nil
}

// Open decrypts ciphertext, tag and counter in place and returns the plaintext,
// a prefix of b. Nothing stays nothing. The counter is marked as seen only
// after the tag proved right. Errors: ErrReplay (b unchanged), ErrDecrypt (b
// undefined).
func (g *GCM) Open(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return b, nil
	}
	if len(b) <= GCMOverhead {
		return nil, ErrDecrypt
	}
	body := b[:len(b)-gcmCounter]
	counter := binary.BigEndian.Uint64(b[len(body):])
	if !g.seen.fresh(counter) {
		return nil, ErrReplay
	}
	if g.aead == nil {
		g.expand()
	}
	binary.BigEndian.PutUint64(g.nonce[4:], counter)
	plain, err := g.aead.Open(body[:0], g.nonce[:], body, nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	g.seen.mark(counter)
	return plain, nil
}
