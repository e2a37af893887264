package secure

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding"
	"hash"
)

// macBlock is the block size of SHA-1 and SHA-256 (FIPS 180-4).
const macBlock = 64

var _ [macBlock]byte = [sha1.BlockSize]byte{}
var _ [macBlock]byte = [sha256.BlockSize]byte{}
var _ [macBlock]byte = [MaxHMACKey]byte{} // longer keys would have to be hashed first

// savedHash is a hash whose state can be copied out and in without allocation;
// both hashes of the standard library can.
type savedHash interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// mac is HMAC (RFC 2104) over one hash object. The states behind the two padded
// key blocks are kept, so that a packet costs neither of them again. What is
// passed to the hash lives in here: it would be moved to the heap otherwise.
type mac struct {
	h            savedHash
	inner, outer []byte // states behind key^ipad and key^opad
	mid          []byte // state behind a packet, for several ticks
	sum          []byte // room for one digest
	block        [macBlock]byte
}

// newMAC makes a MAC with a key of at most MaxHMACKey bytes.
func newMAC(d Digest, key []byte) *mac {
	m := &mac{}
	if d == DigestSHA1 {
		m.h = sha1.New().(savedHash)
	} else {
		m.h = sha256.New().(savedHash)
	}
	m.setKey(key)
	m.mid = make([]byte, 0, len(m.inner))
	m.sum = make([]byte, 0, m.h.Size())
	return m
}

// setKey changes the key. key may be the result of finish.
func (m *mac) setKey(key []byte) {
	clear(m.block[:])
	copy(m.block[:], key)
	m.inner = m.keyState(m.inner[:0], 0x36)
	m.outer = m.keyState(m.outer[:0], 0x36^0x5c) // undoes the first pad
	clear(m.block[:])
}

func (m *mac) keyState(state []byte, pad byte) []byte {
	for i := range m.block {
		m.block[i] ^= pad
	}
	m.h.Reset()
	m.h.Write(m.block[:])
	state, err := m.h.AppendBinary(state)
	if err != nil {
		panic("secure: hash state: " + err.Error()) // no hash of the standard library
	}
	return state
}

// load puts a state back. It cannot fail: every state came from this object.
func (m *mac) load(state []byte) { _ = m.h.UnmarshalBinary(state) }

// start begins a message.
func (m *mac) start(msg []byte) {
	m.mid = m.mid[:0]
	m.load(m.inner)
	m.h.Write(msg)
}

// save keeps the state behind what was written so far for resume.
func (m *mac) save() { m.mid, _ = m.h.AppendBinary(m.mid[:0]) }

// resume goes back to the state that save kept of this message, if it did.
func (m *mac) resume() {
	if len(m.mid) > 0 {
		m.load(m.mid)
	}
}

// write adds bytes to the message. They must not lie on the stack.
func (m *mac) write(b []byte) { m.h.Write(b) }

// finish returns the full digest. It is valid until the next call of finish.
func (m *mac) finish() []byte {
	in := m.h.Sum(m.sum[:0])
	m.load(m.outer)
	m.h.Write(in)
	return m.h.Sum(m.sum[:0])
}
