package slot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"waymark/image/build"
	"waymark/image/bundle"
)

// Opener opens the EFI system partition for one operation. While it is open
// nobody else has it: that is the lock of everything here, state included.
type Opener func() (Disk, io.Closer, error)

// Box is the running system with its slots.
type Box struct {
	Open    Opener
	Store   Store
	Running Name // without counter, the zero Name if it is not known
	Info    *build.Info
	Log     *slog.Logger
	// Crash is how the boot before ended, if it left words of its end; it belongs
	// to the trial, if there was one, and says more than any note.
	Crash string

	mu sync.Mutex // one change of the state at a time
}

// with runs do on the open partition.
func (b *Box) with(do func(*ESP) error) (err error) {
	if b.Running.Number == 0 {
		return ErrNoSlot
	}
	d, c, err := b.Open()
	if err != nil {
		return fmt.Errorf("open EFI system partition: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	e, err := OpenESP(d)
	if err != nil {
		return err
	}
	return do(e)
}

// OnTrial tells whether the running slot has yet to prove its health.
func (b *Box) OnTrial() (trial bool, err error) {
	err = b.with(func(e *ESP) error {
		names, err := e.Names()
		for _, n := range names {
			trial = trial || n.Committed() == b.Running && n.Trial
		}
		return err
	})
	return trial, err
}

// Begin settles at boot what happened before it. It is called once, when the
// data partition is there.
func (b *Box) Begin() (d Decision, err error) {
	err = b.with(func(e *ESP) error {
		names, err := e.Names()
		if err != nil {
			return err
		}
		s, whole := b.load()
		if p := s.Pending; p != nil && b.Crash != "" {
			noted := *p
			noted.Note, s.Pending = b.Crash, &noted
		}
		if d = Settle(b.Running, names, s, b.Info); d.Changed || !whole {
			if err := b.Store.Save(d.State); err != nil {
				return err
			}
		}
		return e.remove(d.Remove...)
	})
	return d, err
}

// Update writes a bundle and activates it, as Updater.Update.
func (b *Box) Update(in io.Reader, w Wanted) (m *bundle.Manifest, err error) {
	err = b.with(func(e *ESP) error {
		u := Updater{ESP: e, Store: b.Store, Running: b.Running, Info: b.Info}
		m, err = u.Update(in, w)
		return err
	})
	return m, err
}

// load reads the state; one that cannot be read is lost and counts as empty.
func (b *Box) load() (s State, whole bool) {
	s, err := b.Store.Load()
	if err != nil {
		b.Log.Warn("update state is lost, begin anew", "error", err)
	}
	return s, err == nil
}

// edit changes the saved state.
func (b *Box) edit(change func(*State)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ := b.load()
	change(&s)
	return b.Store.Save(s)
}

// Note writes down what is known of the trial, for the system that will have to
// say why it failed. The last note counts.
func (b *Box) Note(text string) error {
	return b.edit(func(s *State) {
		if s.Pending != nil && s.Pending.Slot == b.Running.String() {
			s.Pending.Note = text
		}
	})
}

// trial finds the running slot's name while it has a counter.
func (b *Box) trial(e *ESP) (Name, error) {
	names, err := e.Names()
	if err != nil {
		return Name{}, err
	}
	for _, n := range names {
		if n.Committed() == b.Running && n.Trial {
			return n, nil
		}
	}
	return Name{}, errors.New("the running slot is not on trial")
}

// Commit makes the running slot the one to be started from now on.
func (b *Box) Commit() error {
	return b.with(func(e *ESP) error {
		n, err := b.trial(e)
		if err != nil {
			return err
		}
		if err := e.rename(n, n.Committed()); err != nil {
			return err
		}
		return b.edit(func(s *State) { *s = Settle(b.Running, []Name{b.Running}, *s, b.Info).State })
	})
}

// GiveUp ends the trial: the next boot is the old slot's, which refuses this
// version for the reason given. The caller reboots.
func (b *Box) GiveUp(reason string) error {
	noted := b.Note(reason)
	return errors.Join(noted, b.with(func(e *ESP) error {
		n, err := b.trial(e)
		if err != nil {
			return err
		}
		return e.rename(n, n.GivenUp())
	}))
}

const (
	step     = time.Second // between two looks at health
	maxNotes = 50          // of one boot; each is a write to the flash
)

// Prove watches health until the trial that Begin told of is decided, and
// carries the decision out. uptime is the time since boot. After GiveUp the
// caller reboots; what could not be carried out is an error, and GiveUp too.
func (b *Box) Prove(ctx context.Context, p Pending, uptime func() time.Duration, health func() Health) (Verdict, string, error) {
	t := Trial{Limit: time.Duration(p.TrialSeconds) * time.Second}
	noted, notes := p.Note, 0
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		now := uptime()
		verdict, why := t.Step(now, p.Missing(health()))
		switch verdict {
		case Commit:
			b.Log.Info("update is committed", "version", p.Version, "after", now)
			if err := b.Commit(); err != nil {
				return GiveUp, err.Error(), err
			}
			return Commit, "", nil
		case GiveUp:
			b.Log.Error("update has failed its trial", "version", p.Version, "reason", why)
			return GiveUp, why, b.GiveUp(why)
		}
		if note := describe(why); note != noted && notes < maxNotes {
			noted = note
			notes++
			if err := b.Note(note); err != nil {
				b.Log.Warn("cannot note the state of the trial", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return Wait, why, ctx.Err()
		case <-tick.C:
		}
	}
}

// describe is what a note says, in case it is the last one.
func describe(missing string) string {
	if missing == "" {
		return "it was reset while it was healthy"
	}
	return "it was reset while: " + missing
}

// Status is what `show system` tells of slots.
type Status struct {
	Slot           string `json:"slot"`  // "a", "b", or "" if it is not known
	Trial          bool   `json:"trial"` // not yet committed
	LastBootReason string `json:"last-boot-reason"`
	RefusedVersion string `json:"refused-version"`
	RefusedReason  string `json:"refused-reason"`
}

// Status tells how things stand after Begin decided d.
func (b *Box) Status(d Decision) Status {
	st := Status{Trial: d.Trial, LastBootReason: d.Why}
	if b.Running.Number != 0 {
		st.Slot = string(b.Running.Letter)
	}
	if r := d.State.Refused; r != nil {
		st.RefusedVersion, st.RefusedReason = r.Version, r.Reason
	}
	return st
}
