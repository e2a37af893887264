package life_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
)

// named is a configuration with this description.
func named(t *testing.T, text string) *config.Draft {
	t.Helper()
	d, err := config.ReadText("config authority name a\nconfig authority description " + text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newStore makes a store whose running configuration is called "first".
func newStore(t *testing.T) *life.Store {
	t.Helper()
	name := filepath.Join(t.TempDir(), "running.json")
	if err := os.WriteFile(name, named(t, "first").JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	return life.Open(name)
}

// runs fails unless the running configuration is called so.
func runs(t *testing.T, s *life.Store, want string) {
	t.Helper()
	d, err := s.Running()
	if err != nil || !d.Equal(named(t, want)) {
		t.Errorf("%v, running is not %q:\n%s", err, want, d.JSON())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCandidate(t *testing.T) {
	s := newStore(t)
	d, fresh, err := s.Candidate()
	if err != nil || !fresh || !d.Equal(named(t, "first")) {
		t.Fatalf("%v, %v", fresh, err)
	}
	must(t, s.KeepCandidate(named(t, "second")))
	if d, fresh, err = s.Candidate(); err != nil || fresh || !d.Equal(named(t, "second")) {
		t.Errorf("%v, %v", fresh, err)
	}
	runs(t, s, "first")
	must(t, s.KeepCandidate(named(t, "first"))) // edited back
	if _, fresh, _ = s.Candidate(); !fresh {
		t.Error("a candidate that equals what runs is one")
	}
}

func TestVersions(t *testing.T) {
	s := newStore(t)
	for i := range 14 {
		must(t, s.KeepCandidate(named(t, fmt.Sprint("c", i))))
		must(t, s.Commit(named(t, fmt.Sprint("c", i)), 0, "test"))
	}
	runs(t, s, "c13")
	if _, fresh, err := s.Candidate(); err != nil || !fresh {
		t.Errorf("a candidate outlives its commit: %v", err)
	}
	all, err := s.Versions()
	if err != nil || len(all) != life.Keep || all[0].Number != 5 || all[9].Number != 14 {
		t.Errorf("versions %v, %v", all, err)
	}
	d, err := s.Version(14)
	if err != nil || !d.Equal(named(t, "c12")) {
		t.Errorf("version 14: %v", err)
	}
	if _, err := s.Version(4); !errors.Is(err, life.ErrNoVersion) {
		t.Errorf("version 4: %v", err)
	}
}

func TestConfirm(t *testing.T) {
	s := newStore(t)
	if err := s.Confirm(); !errors.Is(err, life.ErrNoPending) {
		t.Errorf("nothing to confirm: %v", err)
	}
	must(t, s.Commit(named(t, "second"), time.Minute, "test"))
	if err := s.Commit(named(t, "third"), 0, "test"); !errors.Is(err, life.ErrPending) {
		t.Errorf("a commit over an unconfirmed one: %v", err)
	}
	must(t, s.Confirm())
	must(t, s.Commit(named(t, "third"), 0, "test"))
	runs(t, s, "third")
}

func TestBackKeepsTheWork(t *testing.T) {
	s := newStore(t)
	must(t, s.Commit(named(t, "second"), time.Minute, "test"))
	must(t, s.Back())
	runs(t, s, "first")
	if d, fresh, err := s.Candidate(); err != nil || fresh || !d.Equal(named(t, "second")) {
		t.Errorf("what was undone is lost: %v, %v", fresh, err)
	}
	if err := s.Back(); !errors.Is(err, life.ErrNoPending) {
		t.Errorf("back twice: %v", err)
	}
}

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		undone := 0
		k := &life.Keeper{Store: s, Log: slog.New(slog.DiscardHandler), Undone: func() { undone++ }}
		must(t, k.Start())
		go k.Run(t.Context())
		must(t, s.Commit(named(t, "second"), 30*time.Second, "test"))
		time.Sleep(20 * time.Second)
		must(t, s.Confirm())
		time.Sleep(time.Hour)
		runs(t, s, "second")
		must(t, s.Commit(named(t, "third"), 30*time.Second, "test"))
		time.Sleep(29 * time.Second)
		runs(t, s, "third")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		runs(t, s, "second")
		if undone != 1 {
			t.Errorf("told %d times", undone)
		}
		if err := s.Confirm(); !errors.Is(err, life.ErrNoPending) {
			t.Errorf("confirmed too late: %v", err)
		}
		must(t, s.Commit(named(t, "fourth"), time.Hour, "test"))
		must(t, k.Start()) // a crash
		runs(t, s, "second")
	})
}

// A power cut anywhere in a commit: what is found is the old or the new
// configuration, with a way back.
func TestCutShort(t *testing.T) {
	s := newStore(t)
	dir := strings.TrimSuffix(s.File(), ".json") + ".d"
	must(t, s.Commit(named(t, "second"), time.Minute, "test"))
	must(t, os.WriteFile(s.File(), named(t, "first").JSON(), 0o600)) // noted, not yet replaced
	must(t, s.Back())
	runs(t, s, "first")
	must(t, os.WriteFile(filepath.Join(dir, "unconfirmed.json"), []byte("{"), 0o600))
	if err := s.Back(); err == nil || errors.Is(err, life.ErrNoPending) {
		t.Errorf("a ruined note: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "candidate.json"), []byte("{"), 0o600))
	if _, _, err := s.Candidate(); !errors.Is(err, life.ErrFindings) || !strings.Contains(err.Error(), "candidate.json") {
		t.Errorf("a ruined candidate: %v", err)
	}
}
