package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is how the members of a cluster know a conductor, and it them. Files are
// PEM; the zero value is TLS with the system's authorities and no certificate.
type TLS struct {
	Cert, Key string // of the client's certificate; both or none
	CA        string // the only authorities whose servers are believed; "" the system's
}

// Config reads the files. The client's certificate is read again for every
// connection, so that another one can take its place.
func (t TLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("read certificate for etcd: certificate and key belong together, one is missing")
	}
	if t.Cert != "" {
		read := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
			if err != nil {
				return nil, fmt.Errorf("read certificate for etcd: %w", err)
			}
			return &pair, nil
		}
		if _, err := read(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return read() }
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read authorities for etcd: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read authorities for etcd: no certificate in %s", t.CA)
		}
	}
	return c, nil
}
