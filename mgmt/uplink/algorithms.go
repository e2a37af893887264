package uplink

import "golang.org/x/crypto/ssh"

// Banner is the version line of both sides.
const Banner = "SSH-2.0-waymark"

// Algorithms are those of both sides: a hybrid key exchange, that a recording
// made today stays shut, one that is smaller for what cannot do it, and ciphers
// that authenticate.
func Algorithms() ssh.Config {
	return ssh.Config{
		KeyExchanges: []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519},
		Ciphers:      []string{ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305},
		MACs:         []string{ssh.HMACSHA256ETM}, // named because something must be; both ciphers have their own
	}
}

// ValidAsset tells whether id can be an asset id: 1 to 128 printable ASCII
// characters without blanks and slashes, the first no dot. Salt's minion ids
// are the same.
func ValidAsset(id string) bool {
	if id == "" || len(id) > 128 || id[0] == '.' {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f || c == '/' || c == '\\' {
			return false
		}
	}
	return true
}
