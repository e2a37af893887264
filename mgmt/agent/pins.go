package agent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/file"
)

// ErrHostKey: a conductor has another host key than it must have.
var ErrHostKey = errors.New("the conductor has the wrong host key")

// boxKeyFile is the box's identity towards conductors, in the identity directory.
const boxKeyFile = "box.pem"

// boxKey reads the box's key or makes it on the first run. One that is there
// and cannot be read is an error: a new one would make the box a stranger.
func boxKey(dir string, log *slog.Logger) (ssh.Signer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep identity: %w", err)
	}
	path := filepath.Join(dir, boxKeyFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		log.Info("agent: making the box's key for conductors")
		return newBoxKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("keep identity: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("read identity %s: no PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", path, err)
	}
	if _, ok := key.(ed25519.PrivateKey); !ok {
		return nil, fmt.Errorf("read identity %s: it is no ed25519 key", path)
	}
	return ssh.NewSignerFromKey(key)
}

func newBoxKey(path string) (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	if err := file.Replace(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, fmt.Errorf("keep identity: %w", err)
	}
	return ssh.NewSignerFromKey(key)
}

// pins are the host keys of conductors that the box trusts.
type pins struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex // guards list
	list []pin
}

// pin is one of them.
type pin struct {
	Host string `json:"host"`
	Key  string `json:"key"` // as in authorized_keys
	// Enrolled: this conductor accepted the box. From then on networks cannot
	// name another one with a key the box does not know.
	Enrolled bool `json:"enrolled,omitempty"`
}

// pinsFile is their file in the identity directory; delete it to trust others.
const pinsFile = "conductors.json"

func openPins(dir string, log *slog.Logger) (*pins, error) {
	p := &pins{path: filepath.Join(dir, pinsFile), log: log}
	raw, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &p.list)
	}
	if err != nil {
		return nil, fmt.Errorf("read pinned keys %s: %w", p.path, err)
	}
	return p, nil
}

// check decides about the host key of the conductor at a place, and pins one
// that is seen first.
func (p *pins) check(at place, key ssh.PublicKey) error {
	line := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(key)))
	sum := sha256.Sum256(key.Marshal())
	if at.Key != nil && !bytes.Equal(at.Key, sum[:]) {
		return fmt.Errorf("%w: %s, and %s says another", ErrHostKey, ssh.FingerprintSHA256(key), at.From)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known, enrolled := false, false
	for _, k := range p.list {
		if k.Host == at.Host && k.Key != line {
			return fmt.Errorf("%w: %s, another one is pinned for %s (%s)", ErrHostKey, ssh.FingerprintSHA256(key), at.Host, p.path)
		}
		if k.Host == at.Host {
			return nil
		}
		known, enrolled = known || k.Key == line, enrolled || k.Enrolled
	}
	if enrolled && !known && !at.Sure {
		return fmt.Errorf("%w: %s names a conductor that the box does not know, and it is enrolled with others", ErrHostKey, at.From)
	}
	p.log.Info("agent: host key of conductor pinned", "conductor", at.Host, "key", ssh.FingerprintSHA256(key), "first-use", at.Key == nil)
	return p.save(append(p.list, pin{Host: at.Host, Key: line}))
}

// enrolled notes that the conductor of a host accepted the box.
func (p *pins) enrolled(host string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := append([]pin(nil), p.list...)
	changed := false
	for i := range list {
		if list[i].Host == host && !list[i].Enrolled {
			list[i].Enrolled, changed = true, true
		}
	}
	if !changed {
		return nil
	}
	return p.save(list)
}

// maxPins bounds the list; the oldest that never accepted the box go first.
const maxPins = 16

// save writes a list and takes it; mu is held.
func (p *pins) save(list []pin) error {
	for i := 0; len(list) > maxPins && i < len(list); i++ {
		if !list[i].Enrolled || i == len(list)-1 {
			list = append(list[:i:i], list[i+1:]...)
			i--
		}
	}
	raw, err := json.MarshalIndent(list, "", "  ")
	if err == nil {
		err = file.Replace(p.path, append(raw, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("pin host key: %w", err)
	}
	p.list = list
	return nil
}

func fingerprint(k ssh.Signer) string { return ssh.FingerprintSHA256(k.PublicKey()) }
