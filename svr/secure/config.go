package secure

import (
	"errors"
	"fmt"
)

// Cipher is the cipher of a policy ("encryption-cipher").
type Cipher uint8

// The ciphers. CipherNone is the zero value and encrypts nothing.
const (
	CipherNone Cipher = iota
	CBC128            // AES-CBC, 16-byte key
	CBC256            // AES-CBC, 32-byte key
	GCM128            // AES-GCM, 16-byte key, service payload only
	GCM256            // AES-GCM, 32-byte key, service payload only
)

// KeySize returns the length of the cipher's key in bytes, 0 for CipherNone and
// for unknown values.
func (c Cipher) KeySize() int {
	switch c {
	case CBC128, GCM128:
		return 16
	case CBC256, GCM256:
		return 32
	}
	return 0
}

// GCM tells whether c is one of the GCM ciphers.
func (c Cipher) GCM() bool { return c == GCM128 || c == GCM256 }

// String returns the name that the configuration uses, such as "aes-cbc-256".
func (c Cipher) String() string {
	switch c {
	case CipherNone:
		return "none"
	case CBC128:
		return "aes-cbc-128"
	case CBC256:
		return "aes-cbc-256"
	case GCM128:
		return "aes-gcm-128"
	case GCM256:
		return "aes-gcm-256"
	}
	return fmt.Sprintf("cipher-%d", uint8(c))
}

// Digest is the kind of digest of a policy ("hmac-cipher").
type Digest uint8

// The digests. The zero value is no digest; a policy whose mode is not
// ModeDisabled must name one.
const (
	DigestNone      Digest = iota
	DigestSHA1             // HMAC-SHA1, 20 bytes
	DigestSHA256           // HMAC-SHA256, 32 bytes
	DigestSHA256128        // HMAC-SHA256 cut to its first 16 bytes
)

// Size returns the bytes that the digest takes on the wire, 0 if unknown.
func (d Digest) Size() int {
	switch d {
	case DigestSHA1:
		return 20
	case DigestSHA256:
		return 32
	case DigestSHA256128:
		return 16
	}
	return 0
}

// String returns the name that the configuration uses, such as "sha256-128".
func (d Digest) String() string {
	switch d {
	case DigestNone:
		return "none"
	case DigestSHA1:
		return "sha1"
	case DigestSHA256:
		return "sha256"
	case DigestSHA256128:
		return "sha256-128"
	}
	return fmt.Sprintf("digest-%d", uint8(d))
}

// Mode says what a digest covers ("hmac-mode").
type Mode uint8

// The modes. ModeDisabled is the zero value.
const (
	ModeDisabled  Mode = iota // no digest at all
	ModeRegular               // the packet
	ModeTimeBased             // the packet, then a 4-byte big-endian tick of 2 seconds
)

// String returns the name that the configuration uses.
func (m Mode) String() string {
	switch m {
	case ModeDisabled:
		return "disabled"
	case ModeRegular:
		return "regular"
	case ModeTimeBased:
		return "time-based"
	}
	return fmt.Sprintf("mode-%d", uint8(m))
}

// The shortest and longest HMAC key in bytes. The configuration narrows it to
// the vendor's 4, 8, 16, 20 and 32; derived keys are 32.
const (
	MinHMACKey = 4
	MaxHMACKey = 64
)

// Config describes one "security" element. New copies what it keeps.
type Config struct {
	Name    string
	Encrypt bool   // false: Cipher and Key are not looked at
	Cipher  Cipher // with Encrypt: not CipherNone
	Key     []byte // as long as Cipher.KeySize
	Mode    Mode
	Digest  Digest // not looked at when Mode is ModeDisabled or Cipher is GCM
	HMACKey []byte // MinHMACKey to MaxHMACKey bytes, same condition
	Padding bool   // post-encryption padding, see Policy.AppendPadding
}

// What a ConfigError can be about, for errors.Is.
var (
	ErrCipher = errors.New("unknown cipher")
	ErrDigest = errors.New("unknown digest")
	ErrMode   = errors.New("unknown mode")
	ErrKey    = errors.New("wrong key length")
)

// ConfigError names one fault of a Config. Err is one of ErrCipher, ErrDigest,
// ErrMode, ErrKey. It never holds key bytes.
type ConfigError struct {
	Policy string // Config.Name
	Field  string // the vendor's leaf, such as "encryption-key"
	Value  string // what was found, lengths instead of secrets
	Want   string // what is allowed
	Err    error
}

// Error returns policy, leaf, cause, value and what is allowed in one line.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("security %q: %s: %v: %s, want %s", e.Policy, e.Field, e.Err, e.Value, e.Want)
}

// Unwrap returns the sentinel.
func (e *ConfigError) Unwrap() error { return e.Err }

// Validate returns every fault of c, joined; each is a *ConfigError. It
// returns nil if New would accept c.
func (c *Config) Validate() error {
	var errs []error
	fault := func(field string, err error, value, want string) {
		errs = append(errs, &ConfigError{Policy: c.Name, Field: field, Value: value, Want: want, Err: err})
	}
	if c.Encrypt {
		c.validateCipher(fault)
	}
	if c.Mode > ModeTimeBased {
		fault("hmac-mode", ErrMode, c.Mode.String(), "disabled, regular or time-based")
	}
	if c.signs() {
		c.validateDigest(fault)
	}
	return errors.Join(errs...)
}

type faultFunc func(field string, err error, value, want string)

func (c *Config) validateCipher(fault faultFunc) {
	want := c.Cipher.KeySize()
	if want == 0 {
		fault("encryption-cipher", ErrCipher, c.Cipher.String(), "aes-cbc-128, aes-cbc-256, aes-gcm-128 or aes-gcm-256")
		return
	}
	if len(c.Key) != want {
		fault("encryption-key", ErrKey, bytesText(len(c.Key)), bytesText(want)+" for "+c.Cipher.String())
	}
}

func (c *Config) validateDigest(fault faultFunc) {
	if c.Digest.Size() == 0 {
		fault("hmac-cipher", ErrDigest, c.Digest.String(), "sha1, sha256 or sha256-128")
	}
	if n := len(c.HMACKey); n < MinHMACKey || n > MaxHMACKey {
		fault("hmac-key", ErrKey, bytesText(n), fmt.Sprintf("%d to %d bytes", MinHMACKey, MaxHMACKey))
	}
}

// signs tells whether packets under c carry a digest: GCM has its own tag.
func (c *Config) signs() bool {
	return c.Mode != ModeDisabled && !(c.Encrypt && c.Cipher.GCM())
}

func bytesText(n int) string { return fmt.Sprintf("%d bytes", n) }
