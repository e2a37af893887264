package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
)

// ErrFull: too many boxes wait for an operator.
var ErrFull = errors.New("too many boxes wait for an operator")

// Claim decides about a claim of an asset and remembers it. Known need not be
// set. ErrFull: it is a new one that nobody knows, and there is no room.
func (g *Registry) Claim(ctx context.Context, c asset.Claim) (state uplink.State, a asset.Asset, err error) {
	p, err := g.Place(ctx, c.ID)
	if err != nil {
		return "", a, err
	}
	c.Known = p != asset.Place{}
	if err := g.room(ctx, &c); err != nil {
		return "", a, err
	}
	fresh := false
	err = g.change(ctx, c.ID, func(was asset.Asset) (asset.Asset, error) {
		a, state = asset.Decide(was, c)
		fresh = was.ID == ""
		if c.Channel == asset.Uplink && state == uplink.StateAccepted && len(a.Twins.Seen) == 0 {
			a, _ = a.Connects(c.Boot, c.From, c.Now, false) // the first one, without a write of its own
		}
		return a, nil
	})
	if err == nil && fresh && state == uplink.StatePending && g.Log != nil {
		g.Log.Info("conductor: a box waits for an operator", "asset", c.ID, "by", string(c.Channel), "key", c.Finger, "from", c.From)
	}
	return state, a, err
}

// room tells whether a claim by an unknown may be remembered.
func (g *Registry) room(ctx context.Context, c *asset.Claim) error {
	if c.Known {
		return nil
	}
	if a, err := g.Asset(ctx, c.ID); err != nil || a.ID != "" {
		return err
	}
	all, err := g.assets(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, a := range all {
		if a.Verdict == asset.Pending {
			n++
		}
	}
	if n >= or(g.MaxPending, 1024) {
		return ErrFull
	}
	return nil
}

// change replaces an asset by what do makes of it; one whose id is "" after
// that is forgotten. Nothing is written if nothing changed.
func (g *Registry) change(ctx context.Context, id string, do func(asset.Asset) (asset.Asset, error)) error {
	key := store.Path(keyAsset, id)
	err := store.Update(ctx, g.Store, func(t *store.Tx) error {
		a, _, err := store.Read[asset.Asset](t, key)
		if err == nil {
			a, err = do(a)
		}
		if err != nil {
			return err
		}
		if a.ID == "" {
			t.Put(key, nil)
		} else {
			t.Set(key, a)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("change asset %s: %w", id, err)
	}
	return nil
}

// Change is change for the package's users.
func (g *Registry) Change(ctx context.Context, id string, do func(asset.Asset) (asset.Asset, error)) error {
	return g.change(ctx, id, do)
}

// Asset returns one asset; its id is "" if nobody claimed it.
func (g *Registry) Asset(ctx context.Context, id string) (asset.Asset, error) {
	a, _, err := store.Load[asset.Asset](ctx, g.Store, store.Path(keyAsset, id))
	return a, err
}

// assets returns all that were claimed.
func (g *Registry) assets(ctx context.Context) ([]asset.Asset, error) {
	return store.All[asset.Asset](ctx, g.Store, store.Below(keyAsset))
}

// All returns every asset that was claimed, by id.
func (g *Registry) All(ctx context.Context) ([]asset.Asset, error) { return g.assets(ctx) }

// Accept and Reject are an operator's decisions; key as for asset.Accept.
func (g *Registry) Accept(ctx context.Context, id, key, by string) error {
	return g.change(ctx, id, func(a asset.Asset) (asset.Asset, error) { return a.Accept(key, by) })
}

// Reject refuses an asset from now on.
func (g *Registry) Reject(ctx context.Context, id, by string) error {
	return g.change(ctx, id, func(a asset.Asset) (asset.Asset, error) { return a.Reject(by) })
}

// Forget makes an asset unknown, with its keys. Its events stay.
func (g *Registry) Forget(ctx context.Context, id string) error {
	return g.change(ctx, id, func(a asset.Asset) (asset.Asset, error) {
		if a.ID == "" {
			return a, asset.ErrUnknown
		}
		return asset.Asset{}, nil
	})
}

// Connected notes that a box is connected to a conductor, until this process
// ends or Disconnected is called.
func (g *Registry) Connected(ctx context.Context, id string, l asset.Live) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return store.Update(ctx, g.Store, func(t *store.Tx) error {
		t.PutLiving(store.Path(keyLive, id, l.Conductor), b)
		return nil
	})
}

// Disconnected undoes Connected; since names the connection, so that an old one
// that ends late does not take a new one's note away.
func (g *Registry) Disconnected(ctx context.Context, id string, l asset.Live) error {
	key := store.Path(keyLive, id, l.Conductor)
	return store.Update(ctx, g.Store, func(t *store.Tx) error {
		was, found, err := store.Read[asset.Live](t, key)
		if err == nil && found && was.Since.Equal(l.Since) {
			t.Put(key, nil)
		}
		return err
	})
}

// Live returns where assets are connected, by id; one alone unless id is "".
func (g *Registry) Live(ctx context.Context, id string) (map[string][]asset.Live, error) {
	prefix := store.Below(keyLive)
	if id != "" {
		prefix = store.Below(keyLive, id)
	}
	items, err := g.Store.List(ctx, prefix, 0)
	if err != nil {
		return nil, err
	}
	live := map[string][]asset.Live{}
	for _, it := range items {
		var l asset.Live
		if p := store.Parts(it.Key); len(p) == 3 && json.Unmarshal(it.Value, &l) == nil {
			live[p[1]] = append(live[p[1]], l)
		}
	}
	return live, nil
}

// NewRow is asset.NewRow with what holds now.
func NewRow(a asset.Asset, p asset.Place, live []asset.Live) asset.Row {
	r := asset.NewRow(a, p, live)
	r.SetTwins(a.Twins.Active(clock()))
	return r
}

// Connects notes that a machine came with the key of an accepted asset. False: a
// twin of it is connected, and stays.
func (g *Registry) Connects(ctx context.Context, id, boot, from string, at time.Time) (ok bool, err error) {
	if a, err := g.Asset(ctx, id); err != nil || a.Twins.Same(boot, from) {
		return err == nil, err
	}
	live, err := g.Live(ctx, id)
	if err != nil {
		return false, err
	}
	news := false
	err = g.change(ctx, id, func(a asset.Asset) (asset.Asset, error) {
		before := len(a.Twins.Active(at)) > 0
		if a, ok = a.Connects(boot, from, at, len(live[id]) > 0); !before {
			news = len(a.Twins.Active(at)) > 0
		}
		return a, nil
	})
	if err == nil && news && g.Log != nil {
		g.Log.Warn("conductor: two machines have one key", "asset", id, "last-from", from)
	}
	return ok, err
}

// Rows lists all assets, those that only the configuration knows too, by id.
func (g *Registry) Rows(ctx context.Context) ([]asset.Row, error) {
	all, err := g.assets(ctx)
	if err != nil {
		return nil, err
	}
	live, err := g.Live(ctx, "")
	if err != nil {
		return nil, err
	}
	p, err := g.running(ctx)
	if err != nil {
		return nil, err
	}
	rows, claimed := []asset.Row{}, map[string]bool{}
	for _, a := range all {
		claimed[a.ID] = true
		rows = append(rows, NewRow(a, p.places[a.ID], live[a.ID]))
	}
	for id, place := range p.places {
		if !claimed[id] {
			rows = append(rows, asset.NewRow(asset.Asset{ID: id}, place, nil))
		}
	}
	slices.SortFunc(rows, func(a, b asset.Row) int { return strings.Compare(a.ID, b.ID) })
	return rows, nil
}
