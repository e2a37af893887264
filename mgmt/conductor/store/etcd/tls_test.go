package etcd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/mgmt/conductor/store"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// sign makes a key and its certificate, signed by a; by itself if a is nil.
func sign(t *testing.T, dir, name string, a *authority) (cert, key string, c *x509.Certificate, k *ecdsa.PrivateKey) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c = &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: a == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	parent, signer := c, k
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &k.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der), write(t, filepath.Join(dir, name+".key"), "EC PRIVATE KEY", raw), c, k
}

func newAuthority(t *testing.T, name string) *authority {
	dir := t.TempDir()
	file, _, c, k := sign(t, dir, name, nil)
	return &authority{t, dir, c, k, file}
}

// issue gives the files of a new certificate, together with its authority's.
func (a *authority) issue(name string) TLS {
	cert, key, _, _ := sign(a.t, a.dir, name, a)
	return TLS{cert, key, a.file}
}

func freeURL(t *testing.T, scheme string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("%s://%s", scheme, l.Addr())
}

// A cluster that wants certificates: who has one of its authority reads and
// writes, nobody else does; neither is a server believed that cannot show one.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	url := freeURL(t, "https")
	m, err := StartMember(t.Context(), Member{Name: "m0", Dir: t.TempDir(), Client: url, Peer: freeURL(t, "http"), TLS: ours.issue("member")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	good := ours.issue("conductor")
	s, err := Dial(t.Context(), []string{url}, good)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = store.Update(t.Context(), s, func(tx *store.Tx) error { tx.Put("hello", []byte("there")); return nil })
	if item, getErr := m.Get(t.Context(), "hello"); err != nil || getErr != nil || string(item.Value) != "there" {
		t.Errorf("%q, %v, %v", item.Value, err, getErr)
	}
	stranger := theirs.issue("conductor")
	for name, x := range map[string]TLS{
		"no certificate":              {CA: ours.file},
		"another authority's":         {stranger.Cert, stranger.Key, ours.file},
		"a server that is not theirs": {good.Cert, good.Key, theirs.file},
		"system's authorities":        {good.Cert, good.Key, ""},
		"no flags":                    {},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if s, err := Dial(ctx, []string{url}, x); err == nil {
			s.Close()
			t.Errorf("%s: let in", name)
		}
		cancel()
	}
	// Another certificate takes the place of one that runs out, without a restart.
	c, err := good.Config()
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.GetClientCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	ours.issue("conductor")
	if after, err := c.GetClientCertificate(nil); err != nil || string(after.Certificate[0]) == string(before.Certificate[0]) {
		t.Errorf("the certificate stays what it was: %v", err)
	}
}

func TestWrongFiles(t *testing.T) {
	good := newAuthority(t, "ours").issue("conductor")
	other := newAuthority(t, "other").issue("conductor")
	for name, x := range map[string]TLS{
		"no key": {Cert: good.Cert}, "no certificate": {Key: good.Key}, "no file": {CA: "/nowhere"},
		"another's key": {Cert: good.Cert, Key: other.Key}, "a key as authority": {CA: good.Key},
	} {
		if _, err := x.Config(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
