package master

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/msgpack"
)

// FileServer is what minions may fetch. Names are valid by fs.ValidPath.
type FileServer interface {
	fs.FS
}

// masterOpts are what state runs of stock minions ask for: there are no states
// here, so all is as a new master has it.
func masterOpts() msgpack.Map {
	return msgpack.KV("file_roots", msgpack.KV("base", []any{}), "top_file_merging_strategy", "merge", "env_order", []any{},
		"default_top", "base", "renderer", "jinja|yaml", "failhard", false, "state_top", "top.sls", "state_top_saltenv", nil,
		"nodegroups", msgpack.Map{}, "state_auto_order", true, "state_events", false, "state_aggregate", false,
		"jinja_env", msgpack.Map{}, "jinja_sls_env", msgpack.Map{}, "jinja_lstrip_blocks", false, "jinja_trim_blocks", false)
}

// file answers requests for files. A name that is no path inside, or another
// environment than base, is a file that is not there, and told.
func (m *Master) file(ctx context.Context, cmd string, load msgpack.Map) (any, error) {
	if cmd == "_file_list" {
		return m.fileList(load.Text("prefix"))
	}
	name := load.Text("path")
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("%w: path %.80q", salt.ErrMalformed, name)
	}
	f, err := m.open(name, load.Text("saltenv"))
	if err != nil {
		return absent(cmd), nil
	}
	defer f.Close()
	switch cmd {
	case "_file_hash":
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}
		return msgpack.KV("hash_type", "sha256", "hsum", hex.EncodeToString(h.Sum(nil))), nil
	case "_file_find":
		return fileFind(name, f)
	}
	return m.piece(name, f, load)
}

func (m *Master) open(name, env string) (fs.File, error) {
	if m.cfg.Files == nil || env != "base" {
		return nil, fs.ErrNotExist
	}
	f, err := m.cfg.Files.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// absent is what stock masters answer about a file that is not there.
func absent(cmd string) any {
	switch cmd {
	case "_file_hash":
		return ""
	case "_serve_file":
		return msgpack.KV("data", "", "dest", "")
	}
	return msgpack.KV("path", "", "rel", "")
}

// fileFind tells size and time; where the file lies is nobody's business.
func fileFind(name string, f fs.File) (any, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	at := info.ModTime().Unix()
	stat := []any{0o100644, 0, 0, 1, 0, 0, info.Size(), at, at, at}
	return msgpack.KV("path", "/"+name, "rel", name, "stat", stat, "back", "roots"), nil
}

// errSeek: a file system whose files cannot be read from the middle.
var errSeek = errors.New("file cannot be read in pieces")

func (m *Master) piece(name string, f fs.File, load msgpack.Map) (any, error) {
	at, _ := load.Int("loc")
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, errSeek
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	switch {
	case at < 0:
		return nil, fmt.Errorf("%w: loc %d", salt.ErrMalformed, at)
	case at >= info.Size(): // the end, and what lies behind it
		return msgpack.KV("data", "", "dest", name), nil
	}
	buf := make([]byte, m.cfg.Limits.Piece)
	n, err := r.ReadAt(buf, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read file: %w", err)
	}
	level, zip := load.Int("gzip")
	if !zip || level < 1 || level > 9 || n == 0 {
		return msgpack.KV("data", buf[:n], "dest", name), nil
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, int(level))
	if err != nil {
		return nil, fmt.Errorf("pack file: %w", err)
	}
	w.Write(buf[:n])
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack file: %w", err)
	}
	return msgpack.KV("data", out.Bytes(), "dest", name, "gzip", level), nil
}

// maxListed bounds the answer to _file_list.
const maxListed = 10000

func (m *Master) fileList(prefix string) (any, error) {
	out := []any{}
	if prefix == "" {
		prefix = "."
	}
	if m.cfg.Files == nil || !fs.ValidPath(prefix) {
		return out, nil
	}
	err := fs.WalkDir(m.cfg.Files, prefix, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && len(out) < maxListed {
			out = append(out, p)
		}
		return nil // what cannot be read is not listed
	})
	return out, err
}
