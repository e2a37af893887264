package sysctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"waymark/net/keep"
)

const root = "/proc/sys"

// state is the content of the state file: path → value before us.
type state map[string]string

// Apply makes the settings true in the network namespace of the calling thread.
// Values before the first change go to the file first; a file that an earlier,
// killed run left keeps its older values. Parameters that the kernel does not
// have (IPv6 switched off) are passed over. Settings of the file that are not
// wanted any more are put back. Applied twice it changes nothing.
func Apply(file string, want []Setting) error {
	st, err := load(file)
	if err != nil {
		return err
	}
	if err := putBackUnwanted(st, want); err != nil {
		return err
	}
	var todo []Setting
	for _, s := range want {
		now, err := read(s.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if _, known := st[s.Path]; !known && now != s.Value {
			st[s.Path] = now
		}
		if now != s.Value {
			todo = append(todo, s)
		}
	}
	if err := save(file, st); err != nil {
		return err
	}
	return writeAll(todo)
}

// Restore puts the remembered values back and removes the file. Parameters that
// went away with their interface are passed over.
func Restore(file string) error {
	st, err := load(file)
	if err != nil {
		return err
	}
	if err := putBackUnwanted(st, nil); err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove sysctl state: %w", err)
	}
	return nil
}

func putBackUnwanted(st state, want []Setting) error {
	var todo []Setting
	for path, value := range st {
		if !slices.ContainsFunc(want, func(s Setting) bool { return s.Path == path }) {
			todo = append(todo, Setting{path, value})
			delete(st, path)
		}
	}
	return writeAll(todo)
}

func writeAll(list []Setting) error {
	var errs []error
	for _, s := range list {
		err := os.WriteFile(filepath.Join(root, s.Path), []byte(s.Value+"\n"), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("set %s to %q: %w", s.Path, s.Value, err))
		}
	}
	return errors.Join(errs...)
}

func read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func load(file string) (state, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read sysctl state: %w", err)
	}
	var raw state
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("read sysctl state %s: %w", file, err)
	}
	for path := range raw { // a damaged file must not write elsewhere
		if !strings.HasPrefix(path, "net/") || filepath.Clean(path) != path {
			return nil, fmt.Errorf("read sysctl state %s: path %q: %w", file, path, fs.ErrInvalid)
		}
	}
	if raw == nil {
		raw = state{}
	}
	return raw, nil
}

// save replaces the file atomically.
func save(file string, st state) error {
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	if err := keep.Exchange(file, b, 0o600); err != nil {
		return fmt.Errorf("write sysctl state: %w", err)
	}
	return nil
}
