// Package life keeps a configuration through its changes: the one that runs,
// the candidate, ten versions, and a commit that comes back by itself unless it
// is confirmed. Everything is files beside the running configuration, replaced
// whole, so that a power cut leaves the old state or the new one.
//
//	running.json                  what the router runs; the name is the caller's
//	running.d/candidate.json      what is being edited, if anything is
//	running.d/versions/N.json     the last ten that ran, by rising number
//	running.d/unconfirmed.json    there while a commit waits for its confirmation
//	running.d/lock                flock of whoever changes one of them
package life

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"waymark/mgmt/config"
	"waymark/mgmt/file"
)

// Names in the directory beside the running configuration.
const (
	candidateFile   = "candidate.json"
	versionsDir     = "versions"
	unconfirmedFile = "unconfirmed.json"
	lockFile        = "lock"
)

// Keep is how many versions are kept.
const Keep = 10

// Errors of a store.
var (
	ErrPending   = errors.New("a commit waits for its confirmation")
	ErrNoPending = errors.New("no commit waits for a confirmation")
	ErrNoVersion = errors.New("no such version")
	ErrFindings  = errors.New("configuration has errors")
)

// Store is the files around one running configuration. Processes may share it.
type Store struct{ running, dir string }

// Open returns the store of a running configuration. It touches nothing.
func Open(running string) *Store {
	return &Store{running, strings.TrimSuffix(running, filepath.Ext(running)) + ".d"}
}

// File returns the name of the running configuration.
func (s *Store) File() string { return s.running }

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// makeDir makes the directory: nothing is there before something changes.
func (s *Store) makeDir() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("keep configuration: %w", err)
	}
	return nil
}

// lock keeps other processes away until unlock.
func (s *Store) lock() (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock configuration: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock configuration: %w", err), f.Close())
	}
	return func() { f.Close() }, nil
}

// Running returns the configuration that runs.
func (s *Store) Running() (*config.Draft, error) { return readDraft(s.running) }

func readDraft(name string) (*config.Draft, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	d, finds := config.ReadDraft(data)
	if d == nil {
		return nil, fmt.Errorf("read configuration %s: %w:\n%s", name, ErrFindings, finds)
	}
	return d, nil
}

// Candidate returns what is being edited; fresh tells that it is the running
// configuration, because nothing is.
func (s *Store) Candidate() (d *config.Draft, fresh bool, err error) {
	d, err = readDraft(s.path(candidateFile))
	if errors.Is(err, fs.ErrNotExist) {
		d, err = s.Running()
		return d, true, err
	}
	return d, false, err
}

// KeepCandidate stores the candidate; one that equals the running configuration is none.
func (s *Store) KeepCandidate(d *config.Draft) error {
	if run, err := s.Running(); err == nil && run.Equal(d) {
		return s.DropCandidate()
	}
	if err := s.makeDir(); err != nil {
		return err
	}
	return file.Replace(s.path(candidateFile), d.JSON(), 0o600)
}

// DropCandidate forgets the candidate.
func (s *Store) DropCandidate() error {
	if err := os.Remove(s.path(candidateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop candidate: %w", err)
	}
	return nil
}

// Version is one configuration that ran.
type Version struct {
	Number int
	Time   time.Time // when it was put away, UTC
}

// Versions lists what is kept, oldest first.
func (s *Store) Versions() ([]Version, error) {
	list, err := os.ReadDir(s.path(versionsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	var all []Version
	for _, e := range list {
		n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".json"))
		info, errInfo := e.Info()
		if err != nil || errInfo != nil || n <= 0 {
			continue // no version, or removed this moment
		}
		all = append(all, Version{n, info.ModTime().UTC()})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Number < all[j].Number })
	return all, nil
}

// Version returns one that ran.
func (s *Store) Version(n int) (*config.Draft, error) {
	d, err := readDraft(s.version(n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %d", ErrNoVersion, n)
	}
	return d, err
}

func (s *Store) version(n int) string {
	return filepath.Join(s.dir, versionsDir, strconv.Itoa(n)+".json")
}

// putAway keeps the running configuration as a version and returns its number.
func (s *Store) putAway() (int, error) {
	data, err := os.ReadFile(s.running)
	if err != nil {
		return 0, fmt.Errorf("keep version: %w", err)
	}
	all, err := s.Versions()
	if err != nil {
		return 0, err
	}
	n := 1
	if len(all) > 0 {
		n = all[len(all)-1].Number + 1
	}
	if err := os.MkdirAll(s.path(versionsDir), 0o700); err != nil {
		return 0, fmt.Errorf("keep version: %w", err)
	}
	if err := file.Replace(s.version(n), data, 0o600); err != nil {
		return 0, fmt.Errorf("keep version: %w", err)
	}
	for i := 0; i < len(all)+1-Keep; i++ {
		if err := os.Remove(s.version(all[i].Number)); err != nil {
			return 0, fmt.Errorf("drop old version: %w", err)
		}
	}
	return n, nil
}

// Pending is a commit that comes back unless it is confirmed.
type Pending struct {
	Version int           `json:"version"` // the one to come back
	Within  time.Duration `json:"within"`  // nanoseconds since the router took it
	By      string        `json:"by"`      // who committed
}

// Pending returns the commit that waits, or ErrNoPending.
func (s *Store) Pending() (*Pending, error) {
	data, err := os.ReadFile(s.path(unconfirmedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoPending
	}
	p := &Pending{}
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err != nil {
		return nil, fmt.Errorf("read unconfirmed commit: %w", err)
	}
	return p, nil
}
