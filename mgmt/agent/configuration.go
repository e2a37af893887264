package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"waymark/mgmt/box"
	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/token"
	"waymark/svr/router/ctl"
)

// confirmWithin is how long a commit from afar waits until whoever asked for it
// is reached again.
const confirmWithin = 5 * time.Minute

// Configuration is the box's configuration as masters see it: the store beside
// the running file, and the router that runs it. A commit comes back by itself
// unless it is confirmed, which is done when the master was reached after it.
type Configuration struct {
	store  *life.Store
	run    string
	within time.Duration
}

// NewConfiguration returns the configuration of a running file and a run
// directory. within bounds the wait for a confirmation; 0: five minutes.
func NewConfiguration(file, run string, within time.Duration) *Configuration {
	if within <= 0 {
		within = confirmWithin
	}
	return &Configuration{life.Open(file), run, within}
}

var _ module.Configuration = (*Configuration)(nil)

// read reads a tree and refuses one that cannot run here.
func (c *Configuration) read(ctx context.Context, tree []byte) (*config.Draft, error) {
	d, finds := config.ReadDraft(tree)
	if d == nil {
		return nil, fmt.Errorf("%w:\n%s", life.ErrFindings, finds)
	}
	return d, c.check(ctx, d)
}

func (c *Configuration) check(ctx context.Context, d *config.Draft) error {
	if finds := d.Check(c.whose(ctx)); finds.Failed() {
		return fmt.Errorf("%w:\n%s", life.ErrFindings, finds)
	}
	return nil
}

// whose asks the router which one it is; without it all of the configuration
// are checked.
func (c *Configuration) whose(ctx context.Context) (router, node string) {
	s := c.look(ctx)
	return s.Router, s.Node
}

// running is what a router tells of itself, empty while none answers.
type running struct {
	Router, Node string
	Started      time.Time // whole seconds
}

func (c *Configuration) look(ctx context.Context) (r running) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := ctl.AskContext(ctx, c.run, ctl.Request{Show: "system"}, func(b json.RawMessage) error { return json.Unmarshal(b, &r) })
	if err != nil {
		return running{}
	}
	return r
}

// Compare implements module.Configuration.
func (c *Configuration) Compare(ctx context.Context, tree []byte) ([]module.Change, error) {
	d, err := c.read(ctx, tree)
	if err != nil {
		return nil, err
	}
	now, err := c.store.Running()
	if err != nil {
		return nil, err
	}
	return changes(now.Compare(d)), nil
}

// changes puts what was and what will be of one leaf into one change; those of a
// list of values are one text.
func changes(list []config.Change) (out []module.Change) {
	at := map[string]int{}
	for _, ch := range list {
		words, value := ch.Words, any("another order")
		if ch.Op != '~' {
			words, value = ch.Words[:len(ch.Words)-1], ch.Words[len(ch.Words)-1]
		}
		path := token.Join(words)
		n, ok := at[path]
		if !ok {
			n = len(out)
			at[path] = n
			out = append(out, module.Change{Path: path})
		}
		where := &out[n].New
		if ch.Op == '-' {
			where = &out[n].Old
		}
		if *where != nil {
			value = fmt.Sprint(*where, ", ", value)
		}
		*where = value
	}
	return out
}

// Commit implements module.Configuration.
func (c *Configuration) Commit(ctx context.Context, tree []byte) (string, error) {
	d, err := c.read(ctx, tree)
	if err != nil {
		return "", err
	}
	return c.commit(ctx, d)
}

// commit lets a draft run until it is confirmed or comes back. What somebody is
// editing on the box stays the candidate.
func (c *Configuration) commit(ctx context.Context, d *config.Draft) (string, error) {
	edited, fresh, err := c.store.Candidate()
	if err != nil {
		return "", err
	}
	if err := c.store.Commit(d, c.within, "salt"); err != nil {
		return "", err
	}
	if !fresh {
		if err := c.store.KeepCandidate(edited); err != nil {
			return "", err
		}
	}
	p, err := c.store.Pending()
	if err != nil {
		return "", err
	}
	if err := c.take(ctx); err != nil {
		return "", errors.Join(err, c.store.Back())
	}
	return strconv.Itoa(p.Version + 1), nil
}

const (
	againWithin = 30 * time.Second // a router that begins anew answers
	settles     = 2 * time.Second  // what a change does to the network shows
)

// take has the router take the running file and returns when it did, so that
// whoever is reached from then on is reached over the new configuration.
// Without a router the next one takes it.
func (c *Configuration) take(ctx context.Context) error {
	before := c.look(ctx).Started
	done, err := ctl.Reload(ctx, c.run)
	if errors.Is(err, ctl.ErrNoRouter) {
		return nil
	}
	if err != nil || done.Class == config.Free.String() {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, againWithin)
	defer cancel()
	for done.Class == config.Restart.String() && limit.Err() == nil {
		if now := c.look(limit).Started; !now.IsZero() && !now.Equal(before) {
			break
		}
		wait(limit, 200*time.Millisecond)
	}
	wait(ctx, settles)
	return nil
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Confirm implements module.Configuration.
func (c *Configuration) Confirm(context.Context) error { return c.store.Confirm() }

// Within implements module.Configuration.
func (c *Configuration) Within() time.Duration { return c.within }

// Running implements module.Configuration.
func (c *Configuration) Running(context.Context) ([]byte, error) {
	d, err := c.store.Running()
	if err != nil {
		return nil, err
	}
	return d.JSON(), nil
}

// Rollback implements module.Configuration.
func (c *Configuration) Rollback(ctx context.Context, version string) (string, error) {
	n, err := strconv.Atoi(version)
	if version == "" {
		all, errAll := c.store.Versions()
		if err = errAll; err == nil && len(all) == 0 {
			err = life.ErrNoVersion
		}
		if err == nil {
			n = all[len(all)-1].Number
		}
	}
	if err != nil {
		return "", fmt.Errorf("go back to version %q: %w", version, err)
	}
	d, err := c.store.Version(n)
	if err != nil {
		return "", err
	}
	if err := c.check(ctx, d); err != nil {
		return "", fmt.Errorf("go back to version %d: %w", n, err)
	}
	if _, err := c.commit(ctx, d); err != nil {
		return "", err
	}
	return strconv.Itoa(n), nil
}

// reboot has init start the box again after a while.
func (s *Settings) reboot(after time.Duration) error {
	if _, err := os.Stat(filepath.Join(s.RunDir, box.Socket)); err != nil {
		return box.ErrNoInit
	}
	time.AfterFunc(after, func() {
		err := box.Ask(context.Background(), s.RunDir, box.Request{Do: box.Reboot, Why: "salt: system.reboot"}, nil)
		if err != nil {
			s.Log.Error("agent cannot reboot", "error", err)
		}
	})
	return nil
}
