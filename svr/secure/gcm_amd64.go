package secure

// The functions below are in gcm_amd64.s. They need AES-NI, PCLMULQDQ, SSE4.1
// and SSSE3, see haveGCM. Lengths are not checked.

// gcmPowers derives the hash key's powers from k.enc and k.rounds.
//
//go:noescape
func gcmPowers(k *gcmKeys)

// gcmSeal encrypts n bytes in place and writes the tag into the 16 bytes behind
// them. start is J0.
//
//go:noescape
func gcmSeal(k *gcmKeys, start *[16]byte, data *byte, n int)

// gcmOpen decrypts n bytes in place, also under a wrong tag, and leaves the 16
// bytes of the tag behind them. diff is zero if the tag is right.
//
//go:noescape
func gcmOpen(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)

// haveGCM tells whether the CPU has what the functions above need.
var haveGCM = detectGCM()

func detectGCM() bool {
	const need = 1<<1 | 1<<9 | 1<<19 | 1<<25 // PCLMULQDQ, SSSE3, SSE4.1, AES-NI
	_, _, c, _ := cpuid(1, 0)
	return c&need == need
}
