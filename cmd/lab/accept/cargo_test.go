package accept

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
)

// cargo is a reader of n bytes that depend on seed alone. A lost, doubled,
// moved or changed byte changes the sum.
func cargo(seed uint64, n int64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return io.LimitReader(rand.NewChaCha8(key), n)
}

// freight returns the bytes of cargo.
func freight(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(cargo(seed, int64(n)), b) // never fails
	return b
}

// sum of everything that r gives, and how much that was.
func sum(r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// ship sends n bytes from one socket to the other in writes of at most chunk
// bytes and compares the SHA-256 of both ends.
func ship(from, to net.Conn, seed uint64, n int64, chunk int) error {
	sent := sha256.New()
	failed := make(chan error, 1)
	go func() {
		src := io.TeeReader(cargo(seed, n), sent)
		_, err := io.CopyBuffer(struct{ io.Writer }{from}, struct{ io.Reader }{src}, make([]byte, chunk))
		failed <- err
	}()
	got, m, err := sum(io.LimitReader(to, n))
	if err != nil {
		return fmt.Errorf("receive after %d of %d bytes: %w", m, n, err)
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if want := hex.EncodeToString(sent.Sum(nil)); m != n || got != want {
		return fmt.Errorf("%d bytes arrived with sum %s, %d were sent with sum %s", m, got, n, want)
	}
	return nil
}

// both ships in both directions at once.
func both(p pair, seed uint64, n int64, chunk int) error {
	up := make(chan error, 1)
	go func() { up <- ship(p.client, p.server, seed, n, chunk) }()
	down := ship(p.server, p.client, seed+1, n, chunk)
	if err := <-up; err != nil {
		return fmt.Errorf("client to server: %w", err)
	}
	if down != nil {
		return fmt.Errorf("server to client: %w", down)
	}
	return nil
}
