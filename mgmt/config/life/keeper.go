package life

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// watchEvery is how often a keeper looks for commits.
const watchEvery = time.Second

// Keeper undoes commits that nobody confirms. It lives in the process that runs
// the configuration: should that die, its next start finds the commit.
type Keeper struct {
	Store *Store
	Log   *slog.Logger
	// Undone is told when the running configuration has gone back.
	Undone func()
}

// Start goes back at once if a commit waits: whoever starts the process did not
// do so because of the commit (a router that restarts itself to take one does not call Start), so it
// crashed, or the box did.
func (k *Keeper) Start() error {
	err := k.Store.Back()
	if errors.Is(err, ErrNoPending) {
		return nil
	}
	if err == nil {
		k.Log.Warn("the last commit was not confirmed before the restart: undone")
	}
	return err
}

// Run watches until ctx ends. The time to confirm begins when the commit is
// seen, by a clock that nobody sets.
func (k *Keeper) Run(ctx context.Context) {
	every := time.NewTicker(watchEvery)
	defer every.Stop()
	var seen *Pending
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		p, err := k.Store.Pending()
		switch {
		case err != nil:
			seen = nil
			if !errors.Is(err, ErrNoPending) {
				k.Log.Warn("cannot watch commits", "error", err)
			}
		case seen == nil || *seen != *p:
			seen, since = p, time.Now()
		case time.Since(since) >= p.Within:
			k.undo(p)
			seen = nil
		}
	}
}

func (k *Keeper) undo(p *Pending) {
	err := k.Store.Back()
	if errors.Is(err, ErrNoPending) {
		return // confirmed this moment
	}
	if err != nil {
		k.Log.Error("cannot undo the unconfirmed commit", "error", err)
		return
	}
	k.Log.Warn("commit not confirmed in time: undone", "version", p.Version, "within", p.Within)
	k.Undone()
}
