// Package serve is a conductor towards its boxes: it decides about them by the
// registry, keeps what they report, and sends each what it should have. It
// holds nothing that another conductor would miss; what changes in the registry,
// whoever changed it, it brings to the boxes that are connected here.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/server"
)

// Conductor implements server.Conductor.
type Conductor struct {
	Registry *registry.Registry
	Name     string // of this conductor, unique among those of one store
	Log      *slog.Logger
	// SaltMaster connects to a port of the Salt master in this process, for a
	// minion whose connection runs within the box's; nil refuses.
	SaltMaster func(ctx context.Context, port int) (net.Conn, error)

	mu    sync.Mutex // guards boxes
	boxes map[server.Box]*box
}

var _ server.Conductor = (*Conductor)(nil)

// refusedRetry is when a box that was refused may come again.
const refusedRetry = 5 * time.Minute

// Authorize implements server.Conductor.
func (c *Conductor) Authorize(ctx context.Context, k *server.Claim) (server.Decision, error) {
	state, _, err := c.Registry.Claim(ctx, asset.Claim{
		ID: k.Asset, Channel: asset.Uplink, Finger: k.Finger, From: hostOf(k.Remote), Boot: k.Hello.Facts.Boot, Now: k.At,
	})
	if errors.Is(err, registry.ErrFull) {
		return server.Decision{State: uplink.StateBusy, Reason: err.Error(), Retry: refusedRetry}, nil
	}
	if err != nil {
		return server.Decision{}, err
	}
	d := server.Decision{State: state}
	switch state {
	case uplink.StateAccepted:
		ok, err := c.Registry.Connects(ctx, k.Asset, k.Hello.Facts.Boot, hostOf(k.Remote), k.At)
		if err != nil {
			return server.Decision{}, err
		}
		if !ok {
			d = server.Decision{State: uplink.StateDuplicate, Reason: "another machine is connected with this key", Retry: refusedRetry}
		}
	case uplink.StatePending:
		d.Reason = "waits for an operator"
	case uplink.StateRejected:
		d.Reason, d.Retry = "an operator refused it", refusedRetry
	case uplink.StateDuplicate:
		d.Reason, d.Retry = "another key has this asset id", refusedRetry
	}
	return d, nil
}

func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

// Attach implements server.Conductor.
func (c *Conductor) Attach(ctx context.Context, b server.Box) error {
	k := b.Claim()
	// What it says of itself is worth something now. Once for each connection:
	// two conductors that a box told different things at different times must
	// not correct each other for ever.
	err := c.Registry.Change(ctx, k.Asset, func(a asset.Asset) (asset.Asset, error) { return a.Tell(k.Hello.Facts), nil })
	if err != nil {
		return err
	}
	x := &box{c: c, box: b, id: k.Asset, live: asset.Live{Conductor: c.Name, Remote: k.Remote.String(), Since: k.At.UTC()},
		wake: make(chan struct{}, 1), todo: todo{config: true, book: true}}
	if err := c.Registry.Connected(ctx, x.id, x.live); err != nil {
		return fmt.Errorf("note connection: %w", err)
	}
	c.mu.Lock()
	if c.boxes == nil {
		c.boxes = map[server.Box]*box{}
	}
	c.boxes[b] = x
	c.mu.Unlock()
	x.tell()
	go x.run(ctx)
	return nil
}

// Detach implements server.Conductor.
func (c *Conductor) Detach(b server.Box) {
	c.mu.Lock()
	x := c.boxes[b]
	delete(c.boxes, b)
	c.mu.Unlock()
	if x == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.Registry.Disconnected(ctx, x.id, x.live); err != nil {
		c.Log.Warn("conductor: cannot note that a box is gone", "asset", x.id, "err", err)
	}
}

// Position implements server.Conductor.
func (c *Conductor) Position(ctx context.Context, id string) (uplink.Position, error) {
	return c.Registry.Position(ctx, id)
}

// Events implements server.Conductor.
func (c *Conductor) Events(ctx context.Context, id string, e *uplink.Events) error {
	return c.Registry.TakeEvents(ctx, id, e)
}

// Addresses implements server.Conductor.
func (c *Conductor) Addresses(ctx context.Context, id string, a *uplink.Addresses) error {
	err := c.Registry.TakeAddresses(ctx, id, a)
	if errors.Is(err, registry.ErrNotIts) {
		return fmt.Errorf("%w: %w", server.ErrFinal, err)
	}
	return err
}

// Entitlement implements server.Conductor.
func (c *Conductor) Entitlement(ctx context.Context, id string, e *uplink.Entitlement) error {
	p, err := c.Registry.Place(ctx, id)
	if err != nil {
		return err
	}
	if p.Router != e.Router {
		return fmt.Errorf("%w: %w", server.ErrFinal, registry.ErrNotIts)
	}
	return c.Registry.TakeEntitlement(ctx, id, e)
}

// ConfigState implements server.Conductor.
func (c *Conductor) ConfigState(ctx context.Context, id string, s *uplink.ConfigState) error {
	return c.Registry.Change(ctx, id, func(a asset.Asset) (asset.Asset, error) {
		if a.ID == "" {
			return a, asset.ErrUnknown
		}
		a.Config = s
		if s.Status == uplink.ConfigInSync && s.Running == a.Replace {
			a.Replace = "" // done
		}
		return a, nil
	})
}

// Salt implements server.Conductor.
func (c *Conductor) Salt(ctx context.Context, id string, port int) (net.Conn, error) {
	if c.SaltMaster == nil {
		return nil, errors.New("this conductor has no Salt master")
	}
	return c.SaltMaster(ctx, port)
}

// Rechecker is the part of server.Server that Run needs.
type Rechecker interface{ Recheck(asset string) }

// Run brings changes of the registry to the boxes until ctx ends.
func (c *Conductor) Run(ctx context.Context, s Rechecker) {
	g := c.Registry
	var all sync.WaitGroup
	watch := func(what string, run func() error) {
		all.Go(func() {
			if err := run(); err != nil && ctx.Err() == nil {
				c.Log.Error("conductor: cannot watch "+what, "err", err)
			}
		})
	}
	watch("assets", func() error {
		return g.WatchAssets(ctx, func(id string) { c.assetChanged(ctx, s, id) })
	})
	watch("the configuration", func() error {
		return g.WatchConfig(ctx, func() { c.configChanged(ctx, s) })
	})
	watch("addresses", func() error {
		return g.WatchAddresses(ctx, func(router, node, iface string) { c.addressChanged(ctx, place{router, node, iface}) })
	})
	watch("connections", func() error {
		return g.WatchLive(ctx, func(id string) { c.liveChanged(ctx, id) })
	})
	all.Wait()
}

// assetChanged has decisions taken anew, and a configuration sent that was
// held back.
func (c *Conductor) assetChanged(ctx context.Context, s Rechecker, id string) {
	if id != "" {
		s.Recheck(id)
		c.each(id, func(x *box) { x.add(todo{config: true}) })
		return
	}
	c.recheckAll(ctx, s)
}

func (c *Conductor) configChanged(ctx context.Context, s Rechecker) {
	c.recheckAll(ctx, s) // it may name boxes that wait
	c.each("", func(x *box) { x.add(todo{config: true, book: true}) })
}

func (c *Conductor) recheckAll(ctx context.Context, s Rechecker) {
	all, err := c.Registry.All(ctx)
	if err != nil {
		c.Log.Error("conductor: cannot read assets", "err", err)
		return
	}
	for _, a := range all {
		s.Recheck(a.ID)
	}
}

// addressChanged has those who need an address told.
func (c *Conductor) addressChanged(ctx context.Context, p place) {
	if p.router == "" {
		c.each("", func(x *box) { x.add(todo{book: true}) })
		return
	}
	c.each("", func(x *box) { x.add(todo{entries: map[place]bool{p: true}}) })
}

// liveChanged puts a note back that was lost with a lease of the store.
func (c *Conductor) liveChanged(ctx context.Context, id string) {
	c.each(id, func(x *box) { x.add(todo{live: true}) })
}

// each calls do for the boxes that are connected here as an asset, "" for all.
func (c *Conductor) each(id string, do func(*box)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.boxes {
		if id == "" || x.id == id {
			do(x)
		}
	}
}

// Connected counts the boxes that are connected here.
func (c *Conductor) Connected() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.boxes)
}
