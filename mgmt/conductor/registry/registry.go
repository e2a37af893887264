// Package registry is what conductors remember, as transactions on a store:
// assets, the authority's configuration and its history, events and alarms of
// the boxes, the addresses of dynamic peers, entitlement. Every method may be
// called from any conductor at any time.
package registry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/config"
)

// Prefixes of the keys. The parts that follow are in brackets.
const (
	keyAsset       = "asset"       // [id]: asset.Asset
	keyLive        = "live"        // [id, conductor]: asset.Live, while the box is connected
	keyRunning     = "config"      // one key, "config/running": Version
	keyVersion     = "version"     // [number]: Version
	keyPosition    = "position"    // [id]: position
	keyEvents      = "events"      // [id, chunk]: []Event
	keyAlarms      = "alarms"      // [id]: []Event, those active
	keyAddress     = "address"     // [router, node, interface]: Address
	keyEntitlement = "entitlement" // [id, month] and [id, month, day]
	keySecret      = "secret"      // [name]: keys that all conductors share
)

// Registry is the memory of all conductors on one store.
type Registry struct {
	Store store.Backend
	// MaxEvents are kept of each asset, about; 0 is 1,000.
	MaxEvents int
	// MaxPending are assets that may wait for an operator; 0 is 1,024.
	MaxPending int
	// Log is told of boxes that wait for an operator, once; nil: nobody.
	Log *slog.Logger

	mu     sync.Mutex // guards parsed
	parsed *parsed
}

// parsed is the running configuration, read once for each version.
type parsed struct {
	revision int64 // of the store's key
	version  Version
	auth     *config.Authority
	places   map[string]asset.Place // by asset id
	peers    map[string]map[string]bool
	shelving shelving
}

func (g *Registry) maxEvents() int { return or(g.MaxEvents, 1000) }

func or(v, auto int) int {
	if v == 0 {
		return auto
	}
	return v
}

// Secret returns a secret that all conductors share; make is called where there
// is none yet.
func (g *Registry) Secret(ctx context.Context, name string, make func() ([]byte, error)) (secret []byte, err error) {
	key := store.Path(keySecret, name)
	err = store.Update(ctx, g.Store, func(t *store.Tx) error {
		if secret, err = t.Get(key); err != nil || secret != nil {
			return err
		}
		if secret, err = make(); err == nil {
			t.Put(key, secret)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keep secret %s: %w", name, err)
	}
	return secret, nil
}

// Watch tells every change of what is named until ctx ends, and "" at first and
// whenever all may have changed: WatchAssets the asset's id, WatchAddresses the
// key for Address.
func (g *Registry) watch(ctx context.Context, prefix string, changed func(parts []string)) error {
	return g.Store.Watch(ctx, prefix, func(key string) {
		if key == "" {
			changed(nil)
		} else if p := store.Parts(key); len(p) > 1 {
			changed(p[1:])
		}
	})
}

// WatchAssets tells the id of each asset that changed; "" means any may have.
func (g *Registry) WatchAssets(ctx context.Context, changed func(id string)) error {
	return g.watch(ctx, store.Below(keyAsset), first(changed))
}

// WatchLive tells the id of each asset that was connected or is no more.
func (g *Registry) WatchLive(ctx context.Context, changed func(id string)) error {
	return g.watch(ctx, store.Below(keyLive), first(changed))
}

func first(changed func(string)) func([]string) {
	return func(p []string) {
		if p == nil {
			changed("")
		} else {
			changed(p[0])
		}
	}
}

// WatchConfig tells that another configuration may run.
func (g *Registry) WatchConfig(ctx context.Context, changed func()) error {
	return g.watch(ctx, store.Below(keyRunning), func([]string) { changed() })
}

// WatchAddresses tells the router, node and interface of each address that
// changed; an empty router means that any may have.
func (g *Registry) WatchAddresses(ctx context.Context, changed func(router, node, iface string)) error {
	return g.watch(ctx, store.Below(keyAddress), func(p []string) {
		if len(p) == 3 {
			changed(p[0], p[1], p[2])
		} else {
			changed("", "", "")
		}
	})
}

// clock is time.Now but for tests.
var clock = time.Now
