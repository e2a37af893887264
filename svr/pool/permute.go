package pool

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math"
)

// permuter orders [0, n) unpredictably without a table: a generalized Feistel
// network over rows × columns ≥ n (Black and Rogaway, "Ciphers with Arbitrary
// Finite Domains") with AES as the round function; results outside [0, n) are
// permuted again (cycle walking), which happens to less than one in √n.
// Whoever sees outputs but not the key cannot tell the next one.
type permuter struct {
	block   cipher.Block
	in, out [16]byte // scratch, so that nothing escapes
}

// permuteRounds is even; four would give pseudo-randomness, two more cost 50 ns.
const permuteRounds = 6

// domain is the space of one permutation.
type domain struct {
	n          uint32
	rows, cols uint32
	id         uint16 // the pathway, so that each has an order of its own
	cycle      uint32 // and each of its rounds
}

func newPermuter(key [16]byte) *permuter {
	b, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 16 bytes are a valid key
	}
	return &permuter{block: b}
}

// newDomain makes the space [0, n), n at least 1 and at most 2^31.
func newDomain(n uint32, id uint16) domain {
	rows := uint32(math.Ceil(math.Sqrt(float64(n))))
	return domain{n: n, rows: rows, cols: (n + rows - 1) / rows, id: id}
}

// at returns element i of the permutation.
func (p *permuter) at(d *domain, i uint32) uint32 {
	for i = p.forward(d, i); i >= d.n; {
		i = p.forward(d, i)
	}
	return i
}

// position reverses at.
func (p *permuter) position(d *domain, v uint32) uint32 {
	for v = p.backward(d, v); v >= d.n; {
		v = p.backward(d, v)
	}
	return v
}

func (p *permuter) forward(d *domain, i uint32) uint32 {
	l, r := i/d.cols, i%d.cols
	for round := byte(0); round < permuteRounds; round += 2 {
		l = addMod(l, p.round(d, round, r, d.rows), d.rows)
		r = addMod(r, p.round(d, round+1, l, d.cols), d.cols)
	}
	return l*d.cols + r
}

func (p *permuter) backward(d *domain, i uint32) uint32 {
	l, r := i/d.cols, i%d.cols
	for round := byte(permuteRounds); round > 0; round -= 2 {
		r = addMod(r, d.cols-p.round(d, round-1, l, d.cols), d.cols)
		l = addMod(l, d.rows-p.round(d, round-2, r, d.rows), d.rows)
	}
	return l*d.cols + r
}

// round returns a keyed number below mod.
func (p *permuter) round(d *domain, round byte, half, mod uint32) uint32 {
	binary.LittleEndian.PutUint32(p.in[0:], half)
	binary.LittleEndian.PutUint32(p.in[4:], d.cycle)
	binary.LittleEndian.PutUint16(p.in[8:], d.id)
	p.in[10] = round
	p.block.Encrypt(p.out[:], p.in[:])
	return uint32(binary.LittleEndian.Uint64(p.out[:]) % uint64(mod))
}

// addMod adds a < mod and b <= mod.
func addMod(a, b, mod uint32) uint32 {
	if s := a + b; s >= mod {
		return s - mod
	} else {
		return s
	}
}
