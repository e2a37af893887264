package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"waymark/net/keep"
)

// changes is StateFile: what this router, or one before it that was killed,
// changed and an orderly stop must undo. Addresses, routes and nftables tables
// carry marks of their own in the kernel and are not listed.
type changes struct {
	file string

	LinksUp []string `json:"links-up"` // interfaces that were down before
	// Tags are interfaces that took VLAN tags off before XDP came to see frames.
	Tags []string `json:"tags-stripped,omitempty"`
}

func loadChanges(dir string) (*changes, error) {
	s := &changes{file: filepath.Join(dir, StateFile)}
	b, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read state %s: %w", s.file, err)
	}
	return s, nil
}

// noteUp remembers that an interface is brought up by us.
func (s *changes) noteUp(name string) error {
	if slices.Contains(s.LinksUp, name) {
		return nil
	}
	s.LinksUp = append(s.LinksUp, name)
	return s.save()
}

// noteTags remembers that an interface took VLAN tags off.
func (s *changes) noteTags(name string) error {
	if slices.Contains(s.Tags, name) {
		return nil
	}
	s.Tags = append(s.Tags, name)
	return s.save()
}

func (s *changes) save() error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := keep.Exchange(s.file, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// remove deletes the file once everything is undone.
func (s *changes) remove() error {
	if err := os.Remove(s.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}
