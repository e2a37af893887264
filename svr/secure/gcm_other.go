//go:build !amd64 && !(linux && arm64)

package secure

// Other architectures use the standard library: haveGCM guards every call.
const haveGCM = false

func gcmPowers(k *gcmKeys)                                          { panic("secure: no instructions") }
func gcmSeal(k *gcmKeys, start *[16]byte, data *byte, n int)        { panic("secure: no instructions") }
func gcmOpen(k *gcmKeys, start *[16]byte, data *byte, n int) uint64 { panic("secure: no instructions") }
func subWord(w uint32) uint32                                       { panic("secure: no instructions") }

// gcmHashed is how many blocks share one reduction at most: the eight that the
// tail of a packet has, and the block of lengths. Each power has the sum of its halves.
const gcmHashed, gcmSums = 9, 9
