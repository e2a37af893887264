package secure

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// The labels of wire profile 1, one per use of a key.
const (
	infoPayload = "waymark 1 payload"
	infoBFD     = "waymark 1 bfd"
)

// BFDKey returns the key of the BFD digest: HKDF-SHA256 (RFC 5869) of the HMAC
// key of the adjacency's send policy, no salt, info "waymark 1 bfd".
func BFDKey(hmacKey []byte) [32]byte {
	key, err := hkdf.Key(sha256.New, hmacKey, nil, infoBFD, 32)
	if err != nil {
		panic("secure: bfd key: " + err.Error()) // only for results above 8,160 bytes
	}
	return [32]byte(key)
}

// deriver is HKDF-SHA256 for the payload keys of many sessions, which the
// standard library does with 16 allocations each time.
type deriver struct {
	m    *mac
	info []byte // label and the number of the only output block (RFC 5869, 2.3)
}

func newDeriver() *deriver {
	return &deriver{m: newMAC(DigestSHA256, nil), info: append([]byte(infoPayload), 1)}
}

// payloadKey returns the first 32 bytes of the key of one direction; a shorter
// key is a prefix of them. salt has at most MaxHMACKey bytes. The result is
// valid until the next call.
func (d *deriver) payloadKey(serviceKey, salt []byte) []byte {
	d.m.setKey(salt)
	d.m.start(serviceKey)
	d.m.setKey(d.m.finish())
	d.m.start(d.info)
	return d.m.finish()
}

var _ [32]byte = [sha256.Size]byte{} // one output block is the longest key
