package secure

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
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
		panic("secure: bfd key: " + err.Error()) // only for lengths above 8,160
	}
	return [32]byte(key)
}

// payloadKey returns the GCM key of one direction, as long as serviceKey.
func payloadKey(serviceKey, tlv46 []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, serviceKey, tlv46, infoPayload, len(serviceKey))
	if err != nil {
		return nil, fmt.Errorf("derive payload key: %w", err)
	}
	return key, nil
}
