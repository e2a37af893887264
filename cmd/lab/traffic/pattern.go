package traffic

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
)

// block is the unit of the pattern: one random text, each copy of it stamped
// with its number, so that a lost, doubled or moved piece changes the sum.
const block = 64 << 10

// pattern is a reader of n bytes that are the same in every run.
type pattern struct {
	buf  [block]byte
	left int64
	next uint64
	rest []byte // of the current block
}

func newPattern(n int64) *pattern {
	p := &pattern{left: n}
	rand.NewChaCha8([32]byte{'w', 'a', 'y'}).Read(p.buf[:]) // never fails
	return p
}

// Read fills b with the next bytes of the pattern.
func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if len(p.rest) == 0 {
		binary.BigEndian.PutUint64(p.buf[:], p.next)
		p.next++
		p.rest = p.buf[:min(p.left, block)]
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	p.left -= int64(n)
	return n, nil
}

// patternSum is the SHA-256 of a pattern of n bytes, in hex.
func patternSum(n int64) string {
	h := sha256.New()
	_, _ = io.Copy(h, newPattern(n)) // neither side fails
	return hex.EncodeToString(h.Sum(nil))
}
