package config

import "fmt"

// securities checks ciphers against keys, and each policy against its use.
func (k *checker) securities() {
	links, services := k.policyUse()
	for _, e := range k.auth.all("security") {
		s := decodeSecurity(e)
		k.keys(e, &s)
		if links[s.Name] {
			k.linkPolicy(e, &s)
		}
		if services[s.Name] {
			k.servicePolicy(e, &s)
		}
	}
}

// policyUse returns the policies that protect metadata between routers and
// those that protect payload.
func (k *checker) policyUse() (links, services map[string]bool) {
	links, services = make(map[string]bool), make(map[string]bool)
	var walk func(e *entry)
	walk = func(e *entry) {
		if e.el.name == "inter-router-security" {
			links[e.text] = true
		}
		if e.el.name == "security" && e.el.shape == leaf && e.parent.el.name == "service" {
			services[e.text] = true
		}
		for _, c := range e.kids {
			walk(c)
		}
	}
	walk(k.auth)
	return links, services
}

// keys checks that what the policy does has a key of the right length.
func (k *checker) keys(e *entry, s *Security) {
	key := e.kid("encryption-key")
	want := fmt.Sprintf("%d hex digits for %s", 2*s.Cipher.KeySize(), s.Cipher)
	switch {
	case !s.Encrypt:
	case key == nil:
		k.missing(e, "encryption-key", "is missing: encrypt is true", want)
	case len(s.Key) != s.Cipher.KeySize():
		k.err(key, fmt.Sprintf("is a key of %d hex digits", 2*len(s.Key)), want)
	}
	if s.digests() && e.kid("hmac-key") == nil {
		k.missing(e, "hmac-key", "is missing: hmac-mode is "+string(s.HMACMode), "8, 16, 32, 40, 64 hex digits")
	}
	if a := e.kid("adaptive-encryption"); a != nil && s.AdaptiveEncryption && s.Encrypt {
		k.warn(a, "is not yet effective: everything is encrypted")
	}
}

// digests tells whether packets of the policy carry an HMAC.
func (s *Security) digests() bool {
	return s.HMACMode != HMACDisabled && !(s.Encrypt && s.Cipher.GCM())
}

// Clear tells whether the policy protects nothing; so does a nil policy.
func (s *Security) Clear() bool { return s == nil || !s.Encrypt && !s.digests() }

// linkPolicy holds what wire profile 1 asks of a policy between routers.
func (k *checker) linkPolicy(e *entry, s *Security) {
	if s.Cipher.GCM() && s.Encrypt {
		k.at(e, "encryption-cipher", Error, "GCM is for services only; this policy protects metadata between routers",
			string(CipherCBC128)+", "+string(CipherCBC256))
	}
	if s.HMACMode == HMACDisabled {
		k.at(e, "hmac-mode", Error, "metadata between routers must be signed", "regular, time-based")
	}
}

// servicePolicy warns about ciphertext that nothing signs.
func (k *checker) servicePolicy(e *entry, s *Security) {
	if s.Encrypt && !s.Cipher.GCM() && s.HMACMode == HMACDisabled {
		k.at(e, "hmac-mode", Warning, "CBC without a digest: a bystander can change payload unseen", "")
	}
}

// at reports on a leaf that may be absent.
func (k *checker) at(e *entry, name string, s Severity, problem, allowed string) {
	value := ""
	if c := e.kid(name); c != nil {
		value = c.valueShown()
	}
	k.add(s, e.below(name), value, problem, allowed)
}
