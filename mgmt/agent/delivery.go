package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"waymark/mgmt/box"
	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/mgmt/file"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
	"waymark/svr/router/ctl"
)

// How a delivered configuration is confirmed.
const (
	confirmDefault = 60 * time.Second
	settle         = 3 * time.Second // after the router took it, before the box tries to get through
	probeEvery     = 2 * time.Second
)

// delivered is what the box remembers of the configuration that a conductor
// sent last: STATE/delivered.json.
type delivered struct {
	Sent   string `json:"sent"`   // digest of what came
	Stored string `json:"stored"` // digest of it as it was stored
	Router string `json:"router"`
	Node   string `json:"node,omitempty"`
	// First: it was the first, so there is none to go back to but none.
	First bool `json:"first,omitempty"`
	// Waiting: it is not confirmed yet.
	Waiting bool   `json:"waiting,omitempty"`
	Undone  bool   `json:"undone,omitempty"` // it was taken back
	Error   string `json:"error,omitempty"`  // why
}

const deliveredFile = "delivered.json"

// delivery takes configurations of conductors. Safe for concurrent use.
type delivery struct {
	a *uplinks

	mu      sync.Mutex // guards the rest; held while a configuration is taken
	last    delivered
	digest  string // of what runs; "": nothing does
	modtime time.Time
	until   time.Time     // when the first configuration goes, unless confirmed
	confirm chan struct{} // one is to be confirmed
}

func newDelivery(a *uplinks) *delivery {
	d := &delivery{a: a, confirm: make(chan struct{}, 1)}
	if b := small(d.file(), maxSmall); b != nil {
		if err := json.Unmarshal(b, &d.last); err != nil {
			a.log.Warn("agent: what was delivered last is unknown", "err", err)
		}
	}
	if d.last.Waiting {
		if d.last.First { // the box or the agent began anew meanwhile: as unconfirmed commits
			d.forget("not confirmed before the restart")
		} else {
			d.confirm <- struct{}{}
		}
	}
	d.look()
	return d
}

func (d *delivery) file() string { return filepath.Join(d.a.set.StateDir, "state", deliveredFile) }

// save keeps what is known of the last delivery; mu is held.
func (d *delivery) save() {
	b, err := json.MarshalIndent(&d.last, "", "  ")
	if err == nil {
		err = file.Replace(d.file(), append(b, '\n'), 0o600)
	}
	if err != nil {
		d.a.log.Error("agent: what was delivered is not kept", "err", err)
	}
}

// running tells what runs: router, node and digest.
func (d *delivery) running() (router, node, digest string) {
	router, node = d.a.set.routerName()
	d.mu.Lock()
	defer d.mu.Unlock()
	return router, node, d.shown()
}

// shown is the digest of what runs as conductors know it; mu is held.
func (d *delivery) shown() string {
	if d.digest != "" && d.digest == d.last.Stored {
		return d.last.Sent
	}
	return d.digest
}

// waiting tells that a configuration is not confirmed yet.
func (d *delivery) waiting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last.Waiting
}

// look finds out whether what runs changed, and tells the conductors.
func (d *delivery) look() {
	var at time.Time
	if info, err := os.Stat(d.a.set.ConfigFile); err == nil {
		at = info.ModTime()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !at.Equal(d.modtime) {
		d.read(at)
	}
	d.a.board.SetConfig(d.state())
}

// read takes the digest of what runs; mu is held.
func (d *delivery) read(at time.Time) {
	d.modtime, d.digest = at, ""
	if b := small(d.a.set.ConfigFile, uplink.MaxUnpacked); b != nil {
		digest, err := uplink.Digest(b)
		if err != nil {
			digest = "unreadable"
		}
		d.digest = digest
	}
}

// state is how the configuration stands; mu is held.
func (d *delivery) state() uplink.ConfigState {
	router, node := d.a.set.routerName()
	s := uplink.ConfigState{Running: d.shown(), Sent: d.last.Sent, Router: router, Node: node, Error: d.last.Error}
	switch {
	case d.last.Waiting:
		s.Status = uplink.ConfigApplying
	case d.last.Undone:
		s.Status = uplink.ConfigRolledBack
	case d.digest == "":
		s.Status = uplink.ConfigNone
	case d.digest == d.last.Stored:
		s.Status, s.Error = uplink.ConfigInSync, ""
	default:
		s.Status = uplink.ConfigOutOfSync
	}
	return s
}

// take takes a configuration and tells what becomes of it.
func (d *delivery) take(ctx context.Context, c *uplink.Config, by string) uplink.ConfigState {
	d.mu.Lock()
	defer d.mu.Unlock()
	with := func(status uplink.ConfigStatus, err error) uplink.ConfigState {
		s := d.state()
		s.Status = status
		if err != nil {
			s.Error = uplink.Reason(err)
			d.a.log.Warn("agent: configuration not taken", "conductor", by, "status", string(status), "err", err)
		}
		return s
	}
	if d.a.set.ConfigFile == "" || d.a.set.RouterFile == "" {
		return with(uplink.ConfigInvalid, errors.New("this box keeps no configuration"))
	}
	if info, err := os.Stat(d.a.set.ConfigFile); err == nil {
		d.read(info.ModTime())
	}
	draft, digest, err := readSent(c)
	if err != nil {
		return with(uplink.ConfigInvalid, err)
	}
	router, node := d.a.set.routerName()
	same := router == c.Router && (c.Node == "" || node == c.Node)
	stored, err := uplink.Digest(draft.JSON())
	switch {
	case err != nil:
		return with(uplink.ConfigInvalid, err)
	case d.last.Waiting:
		return with(uplink.ConfigApplying, errors.New("another configuration waits for its confirmation"))
	case d.last.Undone && d.last.Sent == digest && !c.Replace: // a conductor that has not heard of it yet
		return with(uplink.ConfigRolledBack, nil)
	case same && d.digest == stored:
		d.last = delivered{Sent: digest, Stored: stored, Router: c.Router, Node: c.Node}
		d.save()
		return with(uplink.ConfigInSync, nil)
	case d.digest != "" && d.digest != d.last.Stored && !d.last.Undone && !c.Replace:
		return with(uplink.ConfigOutOfSync, errors.New("what runs was edited on the box"))
	}
	if err := d.apply(ctx, draft, c, same && d.digest != "", by); err != nil {
		return with(uplink.ConfigInvalid, err)
	}
	d.last = delivered{Sent: digest, Stored: stored, Router: c.Router, Node: c.Node, First: d.digest == "", Waiting: true}
	d.save()
	d.read(time.Time{})
	d.until = time.Now().Add(within(c))
	select {
	case d.confirm <- struct{}{}:
	default:
	}
	return with(uplink.ConfigApplying, nil)
}

// within is the confirm timer of a configuration.
func within(c *uplink.Config) time.Duration {
	if c.Confirm > 0 {
		return time.Duration(c.Confirm) * time.Second
	}
	return confirmDefault
}

// readSent unpacks and checks what was sent.
func readSent(c *uplink.Config) (*config.Draft, string, error) {
	data, err := uplink.Unpack(c.Packed)
	if err != nil {
		return nil, "", err
	}
	digest, err := uplink.Digest(data)
	if err != nil {
		return nil, "", err
	}
	draft, finds := config.ReadDraft(data)
	if draft != nil && !finds.Failed() {
		finds = append(finds, draft.Check(c.Router, c.Node)...)
	}
	if draft == nil || finds.Failed() {
		return nil, "", fmt.Errorf("configuration has errors: %s", finds)
	}
	if strings.ContainsAny(c.Router+c.Node, " \t\n") {
		return nil, "", fmt.Errorf("router %q of node %q", c.Router, c.Node)
	}
	return draft, digest, nil
}

// apply commits a configuration and has it run; mu is held. With reload a router
// that has the same name takes it, otherwise init starts another.
func (d *delivery) apply(ctx context.Context, draft *config.Draft, c *uplink.Config, reload bool, by string) error {
	set := d.a.set
	if err := os.MkdirAll(filepath.Dir(set.ConfigFile), 0o700); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	store := life.Open(set.ConfigFile)
	if d.digest == "" {
		if err := file.Replace(set.ConfigFile, draft.JSON(), 0o600); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	} else if err := store.Commit(draft, within(c), "conductor "+by); err != nil {
		return err
	}
	before, _ := os.ReadFile(set.RouterFile) // none: it is made
	err := file.Replace(set.RouterFile, []byte(strings.TrimSpace(c.Router+" "+c.Node)+"\n"), 0o644)
	if err == nil && reload {
		_, err = ctl.Reload(ctx, set.RunDir)
	} else if err == nil {
		err = box.Ask(ctx, set.RunDir, box.Request{Do: box.Configure, Why: "configuration of conductor " + by}, nil)
	}
	if err == nil {
		return nil
	}
	undo := []error{err, restore(set.RouterFile, before)}
	if d.digest == "" {
		undo = append(undo, os.Remove(set.ConfigFile))
	} else if e := store.Back(); !errors.Is(e, life.ErrNoPending) {
		undo = append(undo, e)
	}
	return errors.Join(undo...)
}

// restore puts a file back; nil: there was none.
func restore(name string, before []byte) error {
	if before == nil {
		err := os.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return file.Replace(name, before, 0o644)
}

// run confirms configurations until ctx ends.
func (d *delivery) run(ctx context.Context) {
	for {
		select {
		case <-d.confirm:
			d.watch(ctx)
			d.look()
		case <-ctx.Done():
			return
		}
	}
}

// watch tries to get through to a conductor with what runs now, until it does
// or the configuration was taken back.
func (d *delivery) watch(ctx context.Context) {
	pause(ctx, settle)
	for ctx.Err() == nil {
		err := d.a.routerTook(ctx)
		if err == nil {
			err = d.a.probe(ctx)
		}
		if err == nil {
			d.keep()
			return
		}
		d.a.log.Info("agent: configuration not confirmed yet", "err", err)
		if d.undone(err) {
			return
		}
		pause(ctx, probeEvery)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// keep makes a configuration stay.
func (d *delivery) keep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := life.Open(d.a.set.ConfigFile).Confirm(); err != nil {
		if !errors.Is(err, life.ErrNoPending) {
			d.a.log.Error("agent: configuration cannot be confirmed", "err", err)
			return
		}
		if !d.last.First { // it went back this moment, or was confirmed by hand
			if d.last.Undone = d.stored() != d.last.Stored; d.last.Undone {
				d.last.Error = "no conductor was reached with it in time"
			}
		}
	}
	d.last.Waiting, d.last.First = false, false
	d.save()
	d.a.log.Info("agent: configuration confirmed", "undone", d.last.Undone)
}

// stored is the digest of the file as it is; mu is held.
func (d *delivery) stored() string {
	d.read(time.Time{})
	return d.digest
}

// undone tells whether the configuration was taken back: by the router's
// keeper, or the first one by us.
func (d *delivery) undone(why error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last.First {
		if time.Now().Before(d.until) {
			return false
		}
		d.forget(why.Error())
	} else if d.stored() == d.last.Stored {
		return false
	}
	d.last.Waiting, d.last.Undone, d.last.Error = false, true, uplink.Reason(fmt.Errorf("no conductor was reached with it: %w", why))
	d.save()
	d.a.journal.tell(event.Event{Kind: event.KindAdmin, Type: "admin.config_rolled_back", Category: event.System, Severity: event.Major,
		Source: "agent", Message: "Configuration was taken back: no conductor was reached with it"})
	return true
}

// forget takes the first configuration back: the box is as from the factory.
func (d *delivery) forget(why string) {
	set := d.a.set
	d.a.log.Warn("agent: first configuration taken back", "why", why)
	err := errors.Join(restore(set.ConfigFile, nil), restore(set.RouterFile, nil))
	if err == nil {
		err = box.Ask(context.Background(), set.RunDir, box.Request{Do: box.Configure, Why: "configuration was not confirmed"}, nil)
	}
	if err != nil {
		d.a.log.Error("agent: first configuration is not taken back", "err", err)
	}
	d.last.Waiting, d.last.Undone, d.last.First = false, true, false
	d.save()
	d.read(time.Time{})
}
