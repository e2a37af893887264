package session_test

import (
	"bytes"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/policy"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// opened is metadata of a packet between routers as its receiver reads it.
type opened struct {
	h     wire.Header
	p     wire.Payload
	head  []byte // header section, behind the 12 bytes
	plain []byte // payload section in the clear
	data  []byte // behind the metadata, without the digest
}

// openMeta verifies, decrypts and parses the metadata of f.
func openMeta(t testing.TB, f *flight) (m opened) {
	t.Helper()
	n, ifc := receiverOf(t, f)
	sec := n.tables.Security[n.tables.Interfaces[ifc].RecvPolicy]
	pol, err := secure.New(securityOf(&sec))
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Clone(f.p.Payload())
	d := len(b) - pol.DigestSize()
	if v := pol.Verify(b[:d], b[d:], f.from.s.unix); v != secure.Good {
		t.Fatalf("digest of %v: %v", f.p.T, v)
	}
	if err := wire.ParseHeader(b[:d], &m.h); err != nil {
		t.Fatal(err)
	}
	m.head = b[wire.HeaderSize:m.h.Len]
	end := m.h.Len + m.h.PayloadLen
	m.data = b[end:d]
	m.plain = b[m.h.Len:end]
	if pol.Encrypts() && len(m.plain) > 0 {
		if m.plain, err = pol.DecryptCBC(m.plain); err != nil {
			t.Fatal(err)
		}
	}
	if err := wire.ParsePayload(m.plain, &m.p); err != nil {
		t.Fatal(err)
	}
	return m
}

// receiverOf returns the router that owns the outer destination.
func receiverOf(t testing.TB, f *flight) (*node, int) {
	t.Helper()
	for _, n := range f.from.s.nodes {
		for i := range n.tables.Interfaces {
			for _, a := range n.tables.Interfaces[i].Addresses {
				if a.Prefix.Addr() == f.p.T.DstAddr() {
					return n, i
				}
			}
		}
	}
	t.Fatalf("nobody owns %v", f.p.T)
	return nil, 0
}

// tlvs lists the types of a section in their order.
func tlvs(b []byte) (types []int) {
	for len(b) >= 4 {
		types = append(types, int(b[0])<<8|int(b[1]))
		n := int(b[2])<<8 | int(b[3])
		b = b[min(len(b), 4+n):]
	}
	return types
}

// securityOf makes keys of a security element.
func securityOf(s *policy.SecurityPolicy) secure.Config {
	return secure.Config{
		Name: s.Name, Encrypt: s.Encrypt, Key: s.Key, HMACKey: s.HMACKey,
		Cipher: map[config.Cipher]secure.Cipher{
			config.CipherCBC128: secure.CBC128, config.CipherCBC256: secure.CBC256,
			config.CipherGCM128: secure.GCM128, config.CipherGCM256: secure.GCM256}[s.Cipher],
		Mode: map[config.HMACMode]secure.Mode{
			config.HMACDisabled: secure.ModeDisabled, config.HMACRegular: secure.ModeRegular, config.HMACTimeBased: secure.ModeTimeBased}[s.HMACMode],
		Digest: map[config.HMACCipher]secure.Digest{
			config.HMACSHA1: secure.DigestSHA1, config.HMACSHA256: secure.DigestSHA256, config.HMACSHA256128: secure.DigestSHA256128}[s.HMACCipher],
	}
}
