//go:build !amd64

package secure

// Other architectures use the standard library: these guard every call.
const (
	haveAES    = false
	haveStitch = false
)

var (
	havePairs = false
	shaLanes  = 0
)

func cbcEncrypt(keys *byte, rounds int, chain *[16]byte, data *byte, blocks int) {
	panic("secure: amd64")
}
func cbcEncryptHash(keys *byte, rounds int, chain *[16]byte, state *[8]uint32, k *[64]uint32, data *byte, blocks int) {
	panic("secure: amd64")
}
func cbcDecrypt(keys *byte, rounds int, chain *[16]byte, data *byte, blocks int) {
	panic("secure: amd64")
}
func shaBlocks(state *[8]uint32, k *[64]uint32, data *byte, blocks int) { panic("secure: amd64") }
func shaBlocks2(state *[2][8]uint32, k *[64]uint32, a, b *byte, blocks int) {
	panic("secure: amd64")
}
func cbcEncryptHash2(keys *byte, rounds int, chain *[2][16]byte, state *[2][8]uint32, k *[64]uint32, a, b *byte, blocks int) {
	panic("secure: amd64")
}
func shaBlocks16(state *[8][16]uint32, k *[64]uint32, data *[16]*byte, blocks int) {
	panic("secure: amd64")
}
func shaBlocks8(state *uint32, k *[64]uint32, data **byte, blocks int) { panic("secure: amd64") }
func cbcEncrypt8(keys *byte, rounds int, chain *[8][16]byte, data *[8]*byte, blocks int) {
	panic("secure: amd64")
}
func inverseKey(key *byte) { panic("secure: amd64") }
