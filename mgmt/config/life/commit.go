package life

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"waymark/mgmt/config"
	"waymark/mgmt/file"
)

// Commit makes a draft the running configuration. With within above zero it
// comes back unless Confirm is called in time; the keeper in the router's
// process sees to that. The caller has checked the draft, and tells the router.
func (s *Store) Commit(d *config.Draft, within time.Duration, by string) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.Pending(); err == nil {
		return ErrPending
	}
	n, err := s.putAway()
	if err != nil {
		return err
	}
	if within > 0 {
		// First the way back, then the change: a crash between leaves a way
		// back to what runs.
		b, err := json.Marshal(Pending{n, within, by})
		if err == nil {
			err = file.Replace(s.path(unconfirmedFile), append(b, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("note unconfirmed commit: %w", err)
		}
	}
	if err := file.Replace(s.running, d.JSON(), 0o600); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return s.DropCandidate()
}

// Confirm makes the last commit stay.
func (s *Store) Confirm() error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.Pending(); err != nil {
		return err
	}
	return s.dropPending()
}

func (s *Store) dropPending() error {
	if err := os.Remove(s.path(unconfirmedFile)); err != nil {
		return fmt.Errorf("end unconfirmed commit: %w", err)
	}
	return file.SyncDir(s.dir)
}

// Back undoes an unconfirmed commit; its configuration becomes the candidate,
// so that nobody's work is lost. ErrNoPending: there is none.
func (s *Store) Back() error {
	if _, err := s.Pending(); err != nil {
		return err // nothing is touched where nothing was committed
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	p, err := s.Pending()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(s.version(p.Version))
	if err != nil {
		return fmt.Errorf("go back to version %d: %w", p.Version, err)
	}
	refused, err := os.ReadFile(s.running)
	if err == nil {
		err = file.Replace(s.path(candidateFile), refused, 0o600)
	}
	if err = errors.Join(err, file.Replace(s.running, data, 0o600)); err != nil {
		return fmt.Errorf("go back to version %d: %w", p.Version, err)
	}
	return s.dropPending()
}
