package secure

import (
	"crypto/aes"
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
// It is a fixed piece of memory, some 800 bytes at most, that its owner makes once and
// keys again and again. Where the CPU has instructions for AES and GHASH (amd64;
// arm64 under Linux) neither a new key nor a packet allocates, and no time depends
// on the value of a key or of data. Elsewhere the cipher is the standard library's,
// which makes new objects for a key; those of the keys in use are kept. It holds no
// pointers, so that a pool of them costs the collector nothing and the system gives
// memory only to those in use.
//
// The zero value has no key. A copy would use counters twice: use pointers.
type GCM struct {
	keys gcmKeys
	std  stdKey // where the CPU has no instructions: keys is empty then
	sent uint64 // counter of the newest packet sealed
	seen window // receiver's
}

// NewGCM makes the key of a direction from the service's key (16 or 32 bytes)
// and the TLV 46 of that direction (SaltSize random bytes, new at each
// handshake). The same pair must never seal twice from counter 1. Errors: ErrKey.
func NewGCM(serviceKey, tlv46 []byte) (*GCM, error) {
	g := &GCM{}
	return g, g.derive(newDeriver(), serviceKey, tlv46)
}

// SessionKey makes g the key of a direction as NewGCM does, from the key of the
// policy, whose cipher must be GCM. Counter and window begin anew. Errors:
// ErrCipher, ErrKey; g then has no key.
func (p *Policy) SessionKey(g *GCM, tlv46 []byte) error {
	if !p.Cipher().GCM() {
		*g = GCM{}
		return fmt.Errorf("session key: %w: %v", ErrCipher, p.Cipher())
	}
	return g.derive(p.kdf, p.cfg.Key, tlv46)
}

func (g *GCM) derive(d *deriver, serviceKey, tlv46 []byte) error {
	*g = GCM{}
	if n := len(serviceKey); n != GCM128.KeySize() && n != GCM256.KeySize() {
		return fmt.Errorf("service key: %w: %d bytes", ErrKey, n)
	}
	if len(tlv46) != SaltSize {
		return fmt.Errorf("session key salt: %w: %d bytes", ErrKey, len(tlv46))
	}
	g.setKey(d.payloadKey(serviceKey, tlv46)[:len(serviceKey)])
	return nil
}

// setKey expands a key of a right length.
func (g *GCM) setKey(key []byte) {
	if haveGCM {
		g.keys.expand(key)
	} else {
		g.std.set(key)
	}
}

// Keyed tells whether g has a key.
func (g *GCM) Keyed() bool { return g.keys.rounds != 0 || g.std.n != 0 }

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
	counter, err := g.Take()
	if err != nil {
		return nil, err
	}
	return g.SealAs(counter, buf, n), nil
}

// Take returns the counter of the next packet, for SealAs. Errors: ErrCounter.
func (g *GCM) Take() (uint64, error) {
	if g.sent == math.MaxUint64 {
		return 0, ErrCounter
	}
	g.sent++
	return g.sent, nil
}

// SealAs is Seal with a counter that Take returned, which must be used once; n is
// not 0 and buf has room. Other goroutines may seal, or call Take, at the same
// time, as long as none gives g a new key.
func (g *GCM) SealAs(counter uint64, buf []byte, n int) []byte {
	end := n + gcmTag
	buf = buf[:end+gcmCounter]
	g.seal(counter, buf[:end])
	binary.BigEndian.PutUint64(buf[end:], counter)
	return buf
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
	if !g.open(counter, body) {
		return nil, ErrDecrypt
	}
	g.seen.mark(counter)
	return body[:len(body)-gcmTag], nil
}

// seal encrypts b but its last 16 bytes in place and writes the tag there.
func (g *GCM) seal(counter uint64, b []byte) {
	if g.std.n != 0 {
		g.std.seal(counter, b)
		return
	}
	var start [aes.BlockSize]byte
	firstBlock(&start, counter)
	g.keys.seal(&start, b)
}

// open is the reverse of seal and tells whether the tag was right; if not,
// nothing of the plaintext stays in b.
func (g *GCM) open(counter uint64, b []byte) bool {
	if g.std.n != 0 {
		return g.std.open(counter, b)
	}
	var start [aes.BlockSize]byte
	firstBlock(&start, counter)
	return g.keys.open(&start, b)
}

// firstBlock is J0 of SP 800-38D 7.1: the nonce (4 zero bytes, counter
// big-endian), then block number 1. Each of the block's words is written at once:
// the assembly reads them as such.
func firstBlock(b *[aes.BlockSize]byte, counter uint64) {
	binary.BigEndian.PutUint64(b[gcmNonce-8:], counter)
	binary.BigEndian.PutUint32(b[gcmNonce:], 1)
}
