package policy

import "waymark/svr/secure"

// Secure translates the element for package secure.
func (s *SecurityPolicy) Secure() secure.Config {
	ciphers := map[string]secure.Cipher{
		"aes-cbc-128": secure.CBC128, "aes-cbc-256": secure.CBC256,
		"aes-gcm-128": secure.GCM128, "aes-gcm-256": secure.GCM256,
	}
	modes := map[string]secure.Mode{
		"disabled": secure.ModeDisabled, "regular": secure.ModeRegular, "time-based": secure.ModeTimeBased,
	}
	digests := map[string]secure.Digest{
		"sha1": secure.DigestSHA1, "sha256": secure.DigestSHA256, "sha256-128": secure.DigestSHA256128,
	}
	return secure.Config{
		Name: s.Name, Encrypt: s.Encrypt, Cipher: ciphers[string(s.Cipher)], Key: s.Key,
		Mode: modes[string(s.HMACMode)], Digest: digests[string(s.HMACCipher)], HMACKey: s.HMACKey,
	}
}
