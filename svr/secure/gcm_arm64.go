//go:build linux

package secure

// The functions below are in gcm_arm64.s. They need the Armv8 instructions for
// AES and PMULL, see haveGCM. Lengths are not checked.

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

// subWord is SubWord of FIPS 197, in constant time.
func subWord(w uint32) uint32

// isar0 reads ID_AA64ISAR0_EL1, which Linux answers to programs since 4.11.
func isar0() uint64

// haveGCM tells whether the CPU has what the functions above need: a Raspberry Pi
// 4, for one, has not.
var haveGCM = isar0()>>4&0xf >= 2 // 1 is AES alone, 2 is AES and PMULL

// gcmHashed is how many blocks share one reduction at most: the eight that the
// tail of a packet has, and the block of lengths. Each power has the sum of its halves.
const gcmHashed, gcmSums = 9, 9
