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
	switch wayFor(n) {
	case wayWide:
		gcmSealWide(k, start, data, n)
	case wayHalf:
		gcmSealHalf(k, start, data, n)
	default:
		gcmSealNarrow(k, start, data, n)
	}
}

// gcmOpen decrypts n bytes in place, also under a wrong tag, and leaves the 16
// bytes of the tag behind them. diff is zero if the tag is right.
func gcmOpen(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64) {
	switch wayFor(n) {
	case wayWide:
		return gcmOpenWide(k, start, data, n)
	case wayHalf:
		return gcmOpenHalf(k, start, data, n)
	}
	return gcmOpenNarrow(k, start, data, n)
}

//go:noescape
func gcmSealNarrow(k *gcmKeys, start *[16]byte, data *byte, n int)

//go:noescape
func gcmOpenNarrow(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)

// Those that end in Half are in gcmhalf_amd64.s, those that end in Wide in
// gcmwide_amd64.s. They need what detectWay says.
//
//go:noescape
func gcmSealHalf(k *gcmKeys, start *[16]byte, data *byte, n int)

//go:noescape
func gcmOpenHalf(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)

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
// for the others, which multiply with sums.
const gcmHashed, gcmSums = 17, 9

// The ways of gcmSeal and gcmOpen, the larger the faster: one block in each register,
// two with VAES, VPCLMULQDQ and AVX2, four with AVX-512.
const (
	wayNarrow = iota
	wayHalf
	wayWide
)

// gcmWay is the best way of this CPU.
var gcmWay = detectWay()

// halfMost is how many bytes are sooner done with half the registers, for which fewer
// keys are put in place first.
const halfMost = 64

// wayFor is the way for n bytes.
func wayFor(n int) int {
	if n <= halfMost {
		return min(gcmWay, wayHalf)
	}
	return gcmWay
}

func detectWay() int {
	const (
		vector = 1<<9 | 1<<10 // VAES, VPCLMULQDQ
		avx2   = 1 << 5
		avx512 = 1<<8 | 1<<16 | 1<<30 | 1<<31 // BMI2; AVX-512 F, BW and VL
		saved  = 0xe6                         // the kernel saves mask and all ZMM registers
	)
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return wayNarrow
	}
	_, b, c, _ := cpuid(7, 0)
	switch {
	case !haveGCM || !haveAVX() || c&vector != vector || b&avx2 == 0:
		return wayNarrow
	case b&avx512 == avx512 && xgetbv()&saved == saved:
		return wayWide
	}
	return wayHalf
}
