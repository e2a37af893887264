package peer

import (
	"fmt"

	"waymark/svr/secure"
	"waymark/svr/wire"
)

// Keys protect the BFD of one direction.
type Keys struct {
	digest *secure.Policy // sha256-128 without ticks
	cipher *secure.Policy // of the section in full form; may encrypt nothing
	msg    []byte         // a frame and the epochs behind it
}

// NewKeys derives the keys from the HMAC key of an inter-router policy. cipher
// is that policy itself, for the use of the caller's goroutine alone.
func NewKeys(hmacKey []byte, cipher *secure.Policy) (*Keys, error) {
	key := secure.BFDKey(hmacKey)
	digest, err := secure.New(secure.Config{Name: "bfd", Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: key[:]})
	if err != nil {
		return nil, fmt.Errorf("make BFD digest: %w", err)
	}
	return &Keys{digest: digest, cipher: cipher, msg: make([]byte, 0, MaxDatagram+16)}, nil
}

// covered returns what the digest covers: the frame, and in the steady form the
// epochs of sender and receiver.
func (k *Keys) covered(frame []byte, sender, receiver *wire.Epoch) []byte {
	if sender == nil {
		return frame
	}
	k.msg = append(append(append(k.msg[:0], frame...), sender[:]...), receiver[:]...)
	return k.msg
}

func (k *Keys) verify(f *wire.Frame, sender, receiver *wire.Epoch) bool {
	return k.digest.Verify(k.covered(f.Signed, sender, receiver), f.Digest, 0) == secure.Good
}

func (k *Keys) sign(frame []byte, sender, receiver *wire.Epoch) []byte {
	return k.digest.AppendDigest(frame, k.covered(frame, sender, receiver), 0)
}
