// Package login is the door of a console: one secret, made on the box when it
// first starts, shown once and kept as a hash. There is no default secret.
//
// The secret has 80 random bits, so nothing is gained by a hash that costs
// memory, which a box of 64 MB lacks: bcrypt, 4 KB. Guesses are slowed down by
// the gate, for all ports together.
package login

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waymark/mgmt/file"
)

// SecretFile is the hash of the secret in the identity directory, mode 0600.
const SecretFile = "console-secret"

const (
	cost     = bcrypt.DefaultCost
	waitMax  = time.Minute // between guesses
	waitFrom = time.Second
)

// Errors of Try.
var (
	ErrWrong = errors.New("wrong secret")
	ErrWait  = errors.New("too many wrong secrets: wait")
	ErrNone  = errors.New("no secret was made yet")
)

// Gate decides who may use the consoles of a box. Safe for concurrent use.
type Gate struct {
	file string

	mu    sync.Mutex // guards what follows; held while a secret is compared, so that guesses queue
	hash  []byte     // nil: no secret yet
	wrong int        // guesses since the last right one
	until time.Time  // no guess before
}

// Open reads the gate of an identity directory, making the directory. A file
// that is no hash counts as none: it is what is left of a ruined partition, and
// a new secret gets the owner in again.
func Open(dir string) (*Gate, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open identity: %w", err)
	}
	g := &Gate{file: filepath.Join(dir, SecretFile)}
	hash, err := os.ReadFile(g.file)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read login secret: %w", err)
	}
	hash = bytes.TrimSpace(hash)
	if _, err := bcrypt.Cost(hash); err == nil {
		g.hash = hash
	}
	return g, nil
}

// Ready tells that there is a secret.
func (g *Gate) Ready() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hash != nil
}

// Mint makes a secret and gives it to show, which must bring it to the owner;
// only then it is kept. It replaces an older one.
func (g *Gate) Mint(show func(secret string) error) error {
	secret := newSecret()
	hash, err := bcrypt.GenerateFromPassword([]byte(normal(secret)), cost)
	if err != nil {
		return fmt.Errorf("make login secret: %w", err)
	}
	if err := show(secret); err != nil {
		return fmt.Errorf("show login secret: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := file.Replace(g.file, append(hash, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep login secret: %w", err)
	}
	g.hash, g.wrong, g.until = hash, 0, time.Time{}
	return nil
}

// Try compares a secret. ErrWait says that it did not: wait is how long the
// next guess has to. After ErrWrong too.
func (g *Gate) Try(secret string) (wait time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hash == nil {
		return 0, ErrNone
	}
	if left := time.Until(g.until); left > 0 {
		return left, ErrWait
	}
	if bcrypt.CompareHashAndPassword(g.hash, []byte(normal(secret))) == nil {
		g.wrong, g.until = 0, time.Time{}
		return 0, nil
	}
	wait = min(waitFrom<<min(g.wrong, 10), waitMax)
	g.wrong++
	g.until = time.Now().Add(wait)
	return wait, ErrWrong
}

// alphabet has no letters that look like others (Crockford's base 32).
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newSecret returns 80 random bits as ABCD-1234-EFGH-5678.
func newSecret() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	var s strings.Builder
	for i, x := range b {
		if i > 0 && i%4 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(alphabet[x%32])
	}
	return s.String()
}

// normal is a secret as it is compared: upper case, no blanks and dashes, look
// alikes as what they look like. Longer than any secret is cut, bcrypt takes 72.
func normal(typed string) string {
	s := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	return s[:min(len(s), 64)]
}
