package secure

// The functions below are in gcm_amd64.s. They need AES-NI, PCLMULQDQ, SSE4.1
// and SSSE3, see haveGCM. Lengths are not checked.

// gcmPowers derives the hash key's powers from k.enc and k.rounds.
//
//go:noescape
func gcmPowers(k *gcmKeys)

// gcmSeal encrypts n bytes in place and writes the tag into the 16 bytes behind
// them. start is J0.
func gcmSeal(k *gcmKeys, start *[16]byte, data *byte, n int) {
	if haveWide {
		gcmSealWide(k, start, data, n)
	} else {
		gcmSealNarrow(k, start, data, n)
	}
}

// gcmOpen decrypts n bytes in place, also under a wrong tag, and leaves the 16
// bytes of the tag behind them. diff is zero if the tag is right.
func gcmOpen(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64) {
	if haveWide {
		return gcmOpenWide(k, start, data, n)
	}
	return gcmOpenNarrow(k, start, data, n)
}

//go:noescape
func gcmSealNarrow(k *gcmKeys, start *[16]byte, data *byte, n int)

//go:noescape
func gcmOpenNarrow(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)

// Those that end in Wide are in gcmwide_amd64.s, see haveWide.
//
//go:noescape
func gcmSealWide(k *gcmKeys, start *[16]byte, data *byte, n int)

//go:noescape
func gcmOpenWide(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)

// haveGCM tells whether the CPU has what the functions above need.
var haveGCM = detectGCM()

func detectGCM() bool {
	const need = 1<<1 | 1<<9 | 1<<19 | 1<<25 // PCLMULQDQ, SSSE3, SSE4.1, AES-NI
	_, _, c, _ := cpuid(1, 0)
	return c&need == need
}

// gcmHashed is how many blocks share one reduction at most: the sixteen that the
// tail of a packet has in the wide way, and the block of lengths. gcmSums is the same
// for the narrow way, which multiplies with sums.
const gcmHashed, gcmSums = 17, 9

// haveWide tells whether gcmSeal and gcmOpen may take sixteen blocks at once:
// VAES, VPCLMULQDQ and AVX-512.
var haveWide = haveGCM && detectWide()

func detectWide() bool {
	const (
		wide   = 1<<8 | 1<<16 | 1<<30 | 1<<31 // BMI2; AVX-512 F, BW and VL
		vector = 1<<9 | 1<<10                 // VAES, VPCLMULQDQ
		need   = 1<<27 | 1<<28                // OSXSAVE, AVX
		saved  = 0xe6                         // the kernel saves mask and all ZMM registers
	)
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return false
	}
	_, _, first, _ := cpuid(1, 0)
	_, b, c, _ := cpuid(7, 0)
	return first&need == need && b&wide == wide && c&vector == vector && xgetbv()&saved == saved
}
