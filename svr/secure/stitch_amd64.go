package secure

// The functions below are in stitch_amd64.s and need SSE4.1, SSSE3 and AES-NI
// (haveAES), those for SHA-256 SHA-NI too (haveStitch). Those that end in 2 are in
// pair_amd64.s and need AVX, too (havePairs), those that end in a larger number are in
// many_amd64.s and eight_amd64.s (shaLanes). Lengths are not checked.

// cbcEncrypt encrypts whole 16-byte blocks in place. chain is the IV and, on
// return, the last block of ciphertext.
//
//go:noescape
func cbcEncrypt(keys *byte, rounds int, chain *[16]byte, data *byte, blocks int)

// cbcEncryptHash encrypts blocks of 64 bytes at data in place and meanwhile adds
// the same number of blocks that begin 64 bytes before data to a SHA-256 state.
// k are SHA-256's round constants.
//
//go:noescape
func cbcEncryptHash(keys *byte, rounds int, chain *[16]byte, state *[8]uint32, k *[64]uint32, data *byte, blocks int)

// cbcDecrypt decrypts whole 16-byte blocks in place, eight at a time.
//
//go:noescape
func cbcDecrypt(keys *byte, rounds int, chain *[16]byte, data *byte, blocks int)

// shaBlocks adds blocks of 64 bytes to a SHA-256 state.
//
//go:noescape
func shaBlocks(state *[8]uint32, k *[64]uint32, data *byte, blocks int)

// shaBlocks2 is shaBlocks for two states and two messages of the same number of
// blocks.
//
//go:noescape
func shaBlocks2(state *[2][8]uint32, k *[64]uint32, a, b *byte, blocks int)

// cbcEncryptHash2 is cbcEncryptHash for two messages.
//
//go:noescape
func cbcEncryptHash2(keys *byte, rounds int, chain *[2][16]byte, state *[2][8]uint32, k *[64]uint32, a, b *byte, blocks int)

// shaBlocks16 adds the same number of blocks of sixteen messages to their states,
// which lie word by word. Needs AVX-512, see haveMany.
//
//go:noescape
func shaBlocks16(state *[8][16]uint32, k *[64]uint32, data *[16]*byte, blocks int)

// shaBlocks8 is shaBlocks16 for eight of the sixteen: state is that of the first one,
// data begins with its message. Needs AVX2.
//
//go:noescape
func shaBlocks8(state *uint32, k *[64]uint32, data **byte, blocks int)

// cbcEncrypt8 is cbcEncrypt for eight chains.
//
//go:noescape
func cbcEncrypt8(keys *byte, rounds int, chain *[8][16]byte, data *[8]*byte, blocks int)

// subWord is SubWord of FIPS 197, in constant time.
func subWord(w uint32) uint32

// inverseKey applies InvMixColumns to a round key.
//
//go:noescape
func inverseKey(key *byte)

func cpuid(leaf, sub uint32) (a, b, c, d uint32)
func xgetbv() uint32

// haveAES tells whether the CPU has what cbcEncrypt and cbcDecrypt need, haveStitch
// whether it has SHA-NI too, havePairs whether it has AVX besides: the small boxes of
// the Atom line have SHA-NI without it.
var haveAES, haveStitch, havePairs = detect()

// shaLanes is how many messages are hashed at once: sixteen with AVX-512, which is
// faster than pairs with SHA-NI; eight with AVX2, which is not, but three times as
// fast as one by one without SHA-NI; 0: no more than that.
var shaLanes = detectMany()

func detectMany() int {
	const (
		avx2  = 1 << 5
		wide  = 1<<16 | 1<<30 // AVX-512 F and BW
		saved = 0xe6          // mask and all ZMM registers
	)
	_, b, _, _ := cpuid(7, 0)
	switch {
	case !haveAES || !haveAVX():
		return 0
	case b&wide == wide && xgetbv()&saved == saved:
		return 16
	case b&avx2 != 0 && !haveStitch:
		return 8
	}
	return 0
}

func detect() (aes, stitch, pairs bool) {
	const (
		ssse3, sse41, aesni = 1 << 9, 1 << 19, 1 << 25
		first               = ssse3 | sse41 | aesni
		sha                 = 1 << 29
	)
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return false, false, false
	}
	_, _, c, _ := cpuid(1, 0)
	_, b, _, _ := cpuid(7, 0)
	aes = c&first == first
	stitch = aes && b&sha != 0
	return aes, stitch, stitch && haveAVX()
}

// haveAVX tells whether the CPU has AVX and the kernel saves XMM and YMM registers.
func haveAVX() bool {
	const (
		osxsave, avx = 1 << 27, 1 << 28
		saved        = 6
	)
	_, _, c, _ := cpuid(1, 0)
	return c&(osxsave|avx) == osxsave|avx && xgetbv()&saved == saved
}
