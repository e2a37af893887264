package secure

import "encoding/binary"

// twin computes HMAC-SHA256 (RFC 2104) by the CPU's instructions, of one message
// or of two at once: the instructions of one message wait for each other, and
// those of another run meanwhile. All it works on lives in here, so that nothing
// is moved to the heap. It exists only where haveStitch says so.
type twin struct {
	hmacKeys
	lane  [2]message
	state [2][8]uint32 // of the two while they are made
}

// hmacKeys are the states of SHA-256 behind the two padded keys of HMAC.
type hmacKeys struct{ inner, outer [8]uint32 }

// message is a message that was begun: it can be given several digests, each
// with another end.
type message struct {
	mid    [8]uint32        // state behind the first hashed bytes, whole blocks
	hashed int              // bytes
	n      int              // bytes behind those, in tail
	tail   [tailRoom]byte   // the rest, room for an end and the padding
	last   [macBlock]byte   // the only block of the outer hash, padded
	sum    [sha256Size]byte // the digest
}

const (
	sha256Size = 32
	// maxEnd is the longest end in bytes.
	maxEnd = 16
	// tailRoom takes what a stitch leaves (the last whole block, 48 bytes of
	// ciphertext, IV), an end and the padding.
	tailRoom = 4 * macBlock
)

var _ [tailRoom - (macBlock + 48 + 16 + maxEnd + 9)]byte

// newTwin makes a twin for a key of at most MaxHMACKey bytes.
func newTwin(key []byte) *twin {
	t := &twin{hmacKeys: newHMACKeys(key)}
	for i := range t.lane {
		last := &t.lane[i].last
		last[sha256Size] = 0x80
		binary.BigEndian.PutUint64(last[macBlock-8:], (macBlock+sha256Size)*8)
	}
	return t
}

// newHMACKeys makes the states of a key of at most MaxHMACKey bytes. Only where
// haveStitch or shaLanes says so.
func newHMACKeys(key []byte) hmacKeys {
	return hmacKeys{inner: keyState(key, 0x36), outer: keyState(key, 0x5c)}
}

// keyState is the state behind the padded key.
func keyState(key []byte, pad byte) [8]uint32 {
	var block [macBlock]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	if !haveStitch {
		return soleState(&block)
	}
	state := sha256Start
	shaBlocks(&state, &sha256K, &block[0], 1)
	return state
}

// begin takes a message into lane 0.
func (t *twin) begin(msg []byte) {
	m := &t.lane[0]
	m.mid = t.inner
	whole := len(msg) / macBlock
	if whole > 0 {
		shaBlocks(&m.mid, &sha256K, &msg[0], whole)
	}
	m.rest(msg, whole*macBlock)
}

// beginBoth takes a message into each lane.
func (t *twin) beginBoth(a, b []byte) {
	t.state = [2][8]uint32{t.inner, t.inner}
	wa, wb := len(a)/macBlock, len(b)/macBlock
	t.blocks(a, b, wa, wb)
	t.lane[0].mid, t.lane[1].mid = t.state[0], t.state[1]
	t.lane[0].rest(a, wa*macBlock)
	t.lane[1].rest(b, wb*macBlock)
}

// blocks adds na blocks of a and nb of b to the states: as many as both have
// side by side, where the CPU has what that takes.
func (t *twin) blocks(a, b []byte, na, nb int) {
	both := 0
	if havePairs {
		both = min(na, nb)
	}
	if both > 0 {
		shaBlocks2(&t.state, &sha256K, &a[0], &b[0], both)
	}
	if na > both {
		shaBlocks(&t.state[0], &sha256K, &a[both*macBlock], na-both)
	}
	if nb > both {
		shaBlocks(&t.state[1], &sha256K, &b[both*macBlock], nb-both)
	}
}

// rest keeps what of msg is not hashed yet.
func (m *message) rest(msg []byte, hashed int) {
	m.hashed = hashed
	m.n = copy(m.tail[:], msg[hashed:])
}

// digest returns the digest of the message in lane i with an end, at most maxEnd
// bytes. It is valid until the next one of the lane.
func (t *twin) digest(i int, end []byte) []byte {
	m, s := &t.lane[i], &t.state[i]
	*s = m.mid
	shaBlocks(s, &sha256K, &m.tail[0], m.pad(end))
	putState(m.last[:], s)
	*s = t.outer
	shaBlocks(s, &sha256K, &m.last[0], 1)
	putState(m.sum[:], s)
	return m.sum[:]
}

// digests makes the digests of both lanes, with the same end: they are in sum.
func (t *twin) digests(end []byte) {
	a, b := &t.lane[0], &t.lane[1]
	t.state = [2][8]uint32{a.mid, b.mid}
	t.blocks(a.tail[:], b.tail[:], a.pad(end), b.pad(end))
	putState(a.last[:], &t.state[0])
	putState(b.last[:], &t.state[1])
	t.state = [2][8]uint32{t.outer, t.outer}
	t.blocks(a.last[:], b.last[:], 1, 1)
	putState(a.sum[:], &t.state[0])
	putState(b.sum[:], &t.state[1])
}

// pad puts an end and the padding behind the rest (FIPS 180-4 5.1.1) and returns
// the number of blocks in tail.
func (m *message) pad(end []byte) int {
	n := m.n + copy(m.tail[m.n:], end)
	to := (n + 1 + 8 + macBlock - 1) / macBlock * macBlock
	clear(m.tail[n:to])
	m.tail[n] = 0x80
	binary.BigEndian.PutUint64(m.tail[to-8:], uint64(macBlock+m.hashed+n)*8)
	return to / macBlock
}

func putState(to []byte, state *[8]uint32) {
	_ = to[sha256Size-1]
	for i, w := range state {
		binary.BigEndian.PutUint32(to[4*i:], w)
	}
}

// sha256Start is the initial hash value (FIPS 180-4 5.3.3).
var sha256Start = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// sha256K are the round constants (FIPS 180-4 4.2.2).
var sha256K = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
