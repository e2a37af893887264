// Package minions joins the Salt master to the registry: its keys are accepted
// by the enrolment of the box, its pillars are the boxes' configurations.
package minions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/master"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/uplink"
)

// Keys are the master's keys, kept in the registry. It implements master.Keys.
type Keys struct {
	Context  context.Context // of the process
	Registry *registry.Registry
}

var _ master.Keys = (*Keys)(nil)

// within bounds what a minion's request may wait for the store.
const within = 10 * time.Second

func (k *Keys) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(k.Context, within)
}

// Get implements master.Keys.
func (k *Keys) Get(id string) (master.Entry, error) {
	ctx, cancel := k.context()
	defer cancel()
	a, err := k.Registry.Asset(ctx, id)
	return entry(a), err
}

// entry is an asset as the master sees it.
func entry(a asset.Asset) master.Entry {
	key, ok := a.Keys[asset.Salt]
	if !ok {
		return master.Entry{}
	}
	e := master.Entry{ID: a.ID, Key: key.Text, Rival: a.Rivals[asset.Salt].Text}
	switch a.Verdict {
	case asset.Accepted:
		e.State = master.Accepted
	case asset.Rejected:
		e.State = master.Rejected
	default:
		e.State = master.Pending
	}
	return e
}

// Claim implements master.Keys: what becomes of a key the registry decides.
func (k *Keys) Claim(c master.Claim) (master.State, error) {
	ctx, cancel := k.context()
	defer cancel()
	text := c.Key.PEM()
	state, _, err := k.Registry.Claim(ctx, asset.Claim{
		ID: c.ID, Channel: asset.Salt, Finger: crypt.Fingerprint(text, "sha256"), Text: text, From: c.From, Now: time.Now(),
	})
	switch state {
	case uplink.StateAccepted:
		return master.Accepted, err
	case uplink.StateRejected:
		return master.Rejected, err
	case uplink.StateDuplicate:
		return master.Denied, err
	}
	return master.Pending, err
}

// Update implements master.Keys. Operators decide at the registry: there is nothing
// for change to keep.
func (k *Keys) Update(id string, change func(master.Entry) (master.Entry, error)) (master.Entry, error) {
	was, err := k.Get(id)
	if err != nil {
		return was, err
	}
	return change(was)
}

// List implements master.Keys.
func (k *Keys) List() ([]master.Entry, error) {
	ctx, cancel := k.context()
	defer cancel()
	all, err := k.Registry.All(ctx)
	var list []master.Entry
	for _, a := range all {
		if e := entry(a); e.ID != "" {
			list = append(list, e)
		}
	}
	return list, err
}

// Pillar is master.Config.Pillar: the configuration that a box should run, and
// which router of it the box is.
func (k *Keys) Pillar(ctx context.Context, id, from string, _ msgpack.Map) (msgpack.Map, error) {
	if err := k.comes(ctx, id, from); err != nil {
		return nil, err
	}
	v, p, err := k.Registry.Wanted(ctx, id)
	if err != nil || p.Router == "" {
		return msgpack.Map{}, err
	}
	d, err := v.Draft()
	if err != nil {
		return nil, err
	}
	tree, err := msgpack.FromJSON(d.JSON())
	if err != nil {
		return nil, fmt.Errorf("make pillar of %s: %w", id, err)
	}
	return msgpack.KV("waymark", msgpack.KV("config", tree, "router", p.Router, "node", p.Node, "version", v.Number)), nil
}

// comes notes where a minion asks for its pillar, as it does at each start and
// before each change: machines that share its key take turns. Of a box with an
// uplink its connections tell that already.
func (k *Keys) comes(ctx context.Context, id, from string) error {
	a, err := k.Registry.Asset(ctx, id)
	if _, uplinked := a.Keys[asset.Uplink]; err != nil || uplinked {
		return err
	}
	_, err = k.Registry.Connects(ctx, id, "", from, time.Now())
	return err
}

// Refuser is the part of master.Master that Run needs.
type Refuser interface{ Reject(id string) error }

// Run ends the sessions of minions whose assets are accepted no more, until ctx ends.
func (k *Keys) Run(ctx context.Context, m Refuser) error {
	return k.Registry.WatchAssets(ctx, func(id string) {
		if id == "" {
			return // sessions are of this process: none is older than it
		}
		e, err := k.Get(id)
		if err == nil && e.State == master.Rejected {
			err = m.Reject(id)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			return // the next request of it is refused by Get anyway
		}
	})
}
