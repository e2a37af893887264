package secure

import "slices"

// Policy is a security element ready for use: key schedules and hash states are
// made once. One goroutine at a time; Clone makes one for another worker.
type Policy struct {
	cfg  Config
	size int       // of the digest, 0 for none
	mac  *mac      // nil when size is 0
	twin *twin     // does the work of mac where the CPU and the digest allow it
	many *hmacKeys // the keys of a Batch; nil where the CPU or the digest allows none
	cbc  *cbc      // nil unless a CBC cipher encrypts
	kdf  *deriver  // nil unless a GCM cipher encrypts
	late lateSearch

	stitch *stitch // nil unless CBC and SHA-256 work together
	lane   int     // of the twin, that a digest is compared with
	tick   [4]byte // the end of a message in time-based mode
}

// New checks cfg and makes a policy of it. Errors are *ConfigError, joined when
// there are several. Keys are copied.
func New(cfg Config) (*Policy, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Key, cfg.HMACKey = slices.Clone(cfg.Key), slices.Clone(cfg.HMACKey)
	p := &Policy{cfg: cfg}
	if cfg.signs() {
		p.size = cfg.Digest.Size()
		p.mac = newMAC(cfg.Digest, cfg.HMACKey)
		if cfg.Digest != DigestSHA1 {
			p.useCPU(cfg.HMACKey)
		}
	}
	var err error
	switch {
	case !cfg.Encrypt:
	case cfg.Cipher.GCM():
		p.kdf = newDeriver()
	default:
		p.cbc, err = newCBC(cfg.Key)
		if err == nil && p.cbc.keys != nil && p.twin != nil {
			p.stitch = &stitch{keys: p.cbc.keys, mac: p.twin}
		}
	}
	return p, err
}

// useCPU takes what the CPU has for SHA-256.
func (p *Policy) useCPU(key []byte) {
	if haveStitch {
		p.twin = newTwin(key)
	}
	if shaLanes > 0 {
		keys := newHMACKeys(key)
		p.many = &keys
	}
}

// Clone returns an independent policy with the same configuration for another
// goroutine.
func (p *Policy) Clone() *Policy {
	c, err := New(p.cfg)
	if err != nil {
		panic("secure: clone of a valid policy: " + err.Error())
	}
	return c
}

// Name returns the name of the security element.
func (p *Policy) Name() string { return p.cfg.Name }

// Encrypts tells whether the policy encrypts at all.
func (p *Policy) Encrypts() bool { return p.cfg.Encrypt }

// Cipher returns the cipher in use, CipherNone when the policy does not
// encrypt.
func (p *Policy) Cipher() Cipher {
	if !p.cfg.Encrypt {
		return CipherNone
	}
	return p.cfg.Cipher
}

// Mode returns the digest mode in use: ModeDisabled also when the cipher is
// GCM, which needs no digest.
func (p *Policy) Mode() Mode {
	if p.size == 0 {
		return ModeDisabled
	}
	return p.cfg.Mode
}

// Digest returns the digest in use, DigestNone when packets carry none.
func (p *Policy) Digest() Digest {
	if p.size == 0 {
		return DigestNone
	}
	return p.cfg.Digest
}

// DigestSize returns the bytes of the digest on the wire: 0 when the mode is
// disabled, and 0 for GCM.
func (p *Policy) DigestSize() int { return p.size }

// Overhead returns the most bytes that encryption adds to non-empty data,
// without the digest: padding and IV for CBC (32), tag and counter for GCM
// (24), one more with post-encryption padding, 0 without encryption.
func (p *Policy) Overhead() int {
	switch {
	case !p.cfg.Encrypt:
		return 0
	case p.cfg.Cipher.GCM():
		return GCMOverhead + p.padding()
	}
	return CBCOverhead + p.padding()
}

func (p *Policy) padding() int {
	if p.cfg.Encrypt && p.cfg.Padding {
		return 1
	}
	return 0
}

// AppendPadding adds the byte of post-encryption padding, a zero, behind the
// encrypted data of a packet and before its digest. It returns b unchanged if
// the policy does not pad or b is empty, nil if b has no capacity left.
func (p *Policy) AppendPadding(b []byte) []byte {
	if p.padding() == 0 || len(b) == 0 {
		return b
	}
	if len(b) == cap(b) {
		return nil
	}
	return append(b, 0)
}

// StripPadding takes the byte of post-encryption padding away again. It returns
// b unchanged if the policy does not pad or b is empty, ErrDecrypt if the byte
// is not zero.
func (p *Policy) StripPadding(b []byte) ([]byte, error) {
	if p.padding() == 0 || len(b) == 0 {
		return b, nil
	}
	if b[len(b)-1] != 0 {
		return nil, ErrDecrypt
	}
	return b[:len(b)-1], nil
}
