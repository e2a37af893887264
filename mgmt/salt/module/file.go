package module

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"strings"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/msgpack"
)

// maxFile bounds what cp.get_file fetches, in bytes: an image bundle fits.
const maxFile = 64 << 20

var fileTable = map[string]function{
	"cp.hash_file": {usage: "path, saltenv='base'", doc: "Return the hash of a file of the master.", min: 1, max: 2, keywords: "path saltenv", run: hashFile},
	"cp.get_file": {usage: "path, dest, saltenv='base'", doc: "Fetch a file of the master into the box's file area, of which dest is a path, and return dest.",
		min: 2, max: 3, keywords: "path dest saltenv makedirs", run: getFile},
}

// ErrPath: a path that is none of a file in its area.
var ErrPath = errors.New("refused path")

// source reads salt://PATH?saltenv=ENV.
func source(text, env string) (p, e string, err error) {
	p, ok := strings.CutPrefix(text, "salt://")
	if before, query, found := strings.Cut(p, "?saltenv="); found {
		p, env = before, query
	}
	if !ok || !fs.ValidPath(p) || p == "." || printable(p) != p || !salt.ValidID(env) {
		return "", "", fmt.Errorf("%w: %q", ErrPath, printable(text))
	}
	return p, env, nil
}

// destination maps a path, absolute or not, to one below the file area. What
// tries to leave it is refused, not corrected.
func destination(dest, src string) (string, error) {
	p := strings.TrimPrefix(dest, "/")
	if strings.HasSuffix(p, "/") || p == "" {
		p += path.Base(src)
	}
	if !fs.ValidPath(p) || p == "." || printable(p) != p {
		return "", fmt.Errorf("%w: %q", ErrPath, printable(dest))
	}
	return p, nil
}

func hashFile(ctx context.Context, c *Call) (any, error) {
	text, err := c.text(0, "path", "")
	if err != nil {
		return nil, err
	}
	env, err := c.text(1, "saltenv", "base")
	if err != nil {
		return nil, err
	}
	p, env, err := source(text, env)
	if err != nil {
		return nil, err
	}
	v, err := c.Minion.Request(ctx, salt.HashLoad(p, env))
	if err != nil {
		return nil, err
	}
	if m, ok := v.(msgpack.Map); ok {
		return m, nil
	}
	return msgpack.Map{}, nil // no such file
}

func getFile(ctx context.Context, c *Call) (any, error) {
	if c.Box.Files == "" {
		return nil, fmt.Errorf("%w: it has no file area", ErrCannot)
	}
	text, err := c.text(0, "path", "")
	if err != nil {
		return nil, err
	}
	dest, err := c.text(1, "dest", "")
	if err != nil {
		return nil, err
	}
	env, err := c.text(2, "saltenv", "base")
	if err != nil {
		return nil, err
	}
	p, env, err := source(text, env)
	if err != nil {
		return nil, err
	}
	to, err := destination(dest, p)
	if err != nil {
		return nil, err
	}
	found, err := fetch(ctx, c, p, env, to)
	if err != nil || !found {
		return "", err // as stock: no such file is an empty answer
	}
	return dest, nil
}

// fetch writes a file of the master beside its place, checks it against the
// master's hash, and moves it there. os.Root keeps symbolic links inside too.
func fetch(ctx context.Context, c *Call, p, env, to string) (found bool, err error) {
	v, err := c.Minion.Request(ctx, salt.HashLoad(p, env))
	if err != nil {
		return false, err
	}
	sum, ok := v.(msgpack.Map)
	if !ok {
		return false, nil
	}
	h, err := hasher(sum.Text("hash_type"))
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(c.Box.Files, 0o700); err != nil {
		return false, fmt.Errorf("open file area: %w", err)
	}
	root, err := os.OpenRoot(c.Box.Files)
	if err != nil {
		return false, fmt.Errorf("open file area: %w", err)
	}
	defer root.Close()
	if err := root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return false, fmt.Errorf("store file: %w", err)
	}
	part := fmt.Sprintf("%s.part-%s", to, salt.NewNonce()[:8])
	defer root.Remove(part) // gone already if all went well
	if err := download(ctx, c, root, part, p, env, h); err != nil {
		return false, err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum.Text("hsum") {
		return false, fmt.Errorf("store file: hash is %s, master says %s", got, printable(sum.Text("hsum")))
	}
	if err := root.Rename(part, to); err != nil {
		return false, fmt.Errorf("store file: %w", err)
	}
	return true, nil
}

func hasher(name string) (hash.Hash, error) {
	switch name {
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	case "sha384":
		return sha512.New384(), nil
	case "sha224":
		return sha256.New224(), nil
	}
	return nil, fmt.Errorf("check file: hash %q is not supported", printable(name))
}

func download(ctx context.Context, c *Call, root *os.Root, part, p, env string, h hash.Hash) error {
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	defer f.Close()
	for at := int64(0); ; {
		v, err := c.Minion.Request(ctx, salt.ServeLoad(p, env, at))
		if err != nil {
			return err
		}
		m, _ := v.(msgpack.Map)
		piece, ok := m.Get("data").(string)
		switch {
		case !ok:
			return errors.New("fetch file: answer without data")
		case piece == "":
			return f.Sync()
		case at+int64(len(piece)) > maxFile:
			return fmt.Errorf("fetch file: larger than %d bytes", maxFile)
		}
		h.Write([]byte(piece))
		if _, err := f.WriteString(piece); err != nil {
			return fmt.Errorf("store file: %w", err)
		}
		at += int64(len(piece))
	}
}
