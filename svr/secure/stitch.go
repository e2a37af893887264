package secure

import "crypto/aes"

// stitch encrypts packets by CBC and computes their HMAC-SHA256 in one pass: both
// are chains of instructions that wait for each other, and they run side by side:
// two chains for one packet, four for two. nil where the CPU or the policy does
// not allow it.
type stitch struct {
	keys  *aesKeys
	mac   *twin
	chain [2][aes.BlockSize]byte // of the packets; here, so that they need not move to the heap
}

// run encrypts b[:n], whole blocks, in place and returns the HMAC over b, which
// has the IV behind the ciphertext, and an end. The result is valid until the
// next run.
func (s *stitch) run(b []byte, n int, end []byte) []byte {
	m := &s.mac.lane[0]
	m.mid = s.mac.inner
	s.chain[0] = [aes.BlockSize]byte(b[n:])
	hashed := 0
	if n >= macBlock {
		s.keys.encrypt(b[:macBlock], &s.chain[0])
		hashed = s.whole(0, &m.mid, b[:n], 0)
	}
	s.finish(0, b, n, hashed)
	return s.mac.digest(0, end)
}

// runBoth is run for a and b, of at least macBlock bytes each. Both digests are in
// the lanes of the MAC.
func (s *stitch) runBoth(a, b []byte, na, nb int, end []byte) {
	t := s.mac
	t.state = [2][8]uint32{t.inner, t.inner}
	s.chain = [2][aes.BlockSize]byte{[aes.BlockSize]byte(a[na:]), [aes.BlockSize]byte(b[nb:])}
	both := 1 // the one whose hash waits
	if havePairs {
		both = min(na, nb) / macBlock
	}
	s.keys.encrypt(a[:macBlock], &s.chain[0])
	s.keys.encrypt(b[:macBlock], &s.chain[1])
	s.wholeBoth(a, b, both-1)
	ha := s.whole(0, &t.state[0], a[:na], both-1)
	hb := s.whole(1, &t.state[1], b[:nb], both-1)
	t.lane[0].mid, t.lane[1].mid = t.state[0], t.state[1]
	s.finish(0, a, na, ha)
	s.finish(1, b, nb, hb)
	t.digests(end)
}

// wholeBoth encrypts n blocks of the hash from the second one on and hashes those
// before them.
func (s *stitch) wholeBoth(a, b []byte, n int) {
	if n > 0 {
		cbcEncryptHash2(&s.keys.enc[0], s.keys.rounds, &s.chain, &s.mac.state, &sha256K, &a[macBlock], &b[macBlock], n)
	}
}

// whole does the same in lane i for the whole blocks of b that are left when n
// are hashed, and returns how many bytes are hashed then: one block less than is
// encrypted.
func (s *stitch) whole(i int, state *[8]uint32, b []byte, n int) int {
	at := n * macBlock
	left := (len(b)-at)/macBlock - 1
	if left > 0 {
		cbcEncryptHash(&s.keys.enc[0], s.keys.rounds, &s.chain[i], state, &sha256K, &b[at+macBlock], left)
		at += left * macBlock
	}
	return at
}

// finish encrypts what is left of b[:n] and leaves what is not hashed to the MAC.
func (s *stitch) finish(i int, b []byte, n, hashed int) {
	s.keys.encrypt(b[n/macBlock*macBlock:n], &s.chain[i])
	s.mac.lane[i].rest(b, hashed)
}
