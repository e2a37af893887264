package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/server"
)

// place is where an address of the book belongs.
type place struct{ router, node, iface string }

// todo is what a box may have to be sent.
type todo struct {
	config, book, live bool
	entries            map[place]bool // single addresses; more than maxEntries are the book
}

const maxEntries = 256

// box is one box that is connected here, and what it still has to be sent. One
// goroutine sends, so that a slow box delays nobody and gets the newest alone.
type box struct {
	c    *Conductor
	box  server.Box
	id   string
	live asset.Live

	mu   sync.Mutex // guards todo
	todo todo
	wake chan struct{}

	revision uint64 // of the last book; of run
	sent     string // digest of the configuration that was sent last; of run
}

// add notes what there is to do.
func (x *box) add(t todo) {
	x.mu.Lock()
	x.todo.config = x.todo.config || t.config
	x.todo.book = x.todo.book || t.book
	x.todo.live = x.todo.live || t.live
	for p := range t.entries {
		if x.todo.entries == nil {
			x.todo.entries = map[place]bool{}
		}
		if x.todo.entries[p] = true; len(x.todo.entries) > maxEntries {
			x.todo.book, x.todo.entries = true, nil
		}
	}
	x.mu.Unlock()
	x.tell()
}

func (x *box) tell() {
	select {
	case x.wake <- struct{}{}:
	default: // it is awake
	}
}

// again is the pause after something could not be sent.
const again = 5 * time.Second

// run sends until the connection ends.
func (x *box) run(ctx context.Context) {
	for {
		select {
		case <-x.box.Done():
			return
		case <-ctx.Done():
			return
		case <-x.wake:
		}
		x.mu.Lock()
		t := x.todo
		x.todo = todo{}
		x.mu.Unlock()
		failed, err := x.do(ctx, t)
		if err == nil || errors.Is(err, server.ErrGone) || ctx.Err() != nil {
			continue // the loop sees an end
		}
		x.c.Log.Warn("conductor: box not served", "asset", x.id, "err", err)
		time.AfterFunc(again, func() { x.add(failed) })
	}
}

// do does it, addresses first: they are what traffic waits for. What failed
// comes back.
func (x *box) do(ctx context.Context, t todo) (failed todo, err error) {
	if t.book || len(t.entries) > 0 {
		if err := x.sendBook(ctx, t.book, t.entries); err != nil {
			failed.book = true
			return t.after(failed), err
		}
	}
	if t.live {
		if err := x.keepLive(ctx); err != nil {
			failed.live = true
			return t.after(failed), err
		}
	}
	if t.config {
		if err := x.sendConfig(ctx); err != nil {
			failed.config = true
			return failed, err
		}
	}
	return todo{}, nil
}

// after adds to what failed what was not tried.
func (t todo) after(failed todo) todo {
	failed.config = failed.config || t.config
	failed.live = failed.live || t.live
	return failed
}

// keepLive writes the note of this connection unless it is there.
func (x *box) keepLive(ctx context.Context) error {
	live, err := x.c.Registry.Live(ctx, x.id)
	if err != nil {
		return err
	}
	for _, l := range live[x.id] {
		if l.Conductor == x.live.Conductor {
			return nil
		}
	}
	return x.c.Registry.Connected(ctx, x.id, x.live)
}

// sendBook sends the router's part of the address book, or changes to it.
func (x *box) sendBook(ctx context.Context, full bool, changed map[place]bool) error {
	g := x.c.Registry
	p, err := g.Place(ctx, x.id)
	if err != nil || p.Router == "" {
		return err
	}
	b := &uplink.Book{Full: full, Entries: []uplink.BookEntry{}}
	if full {
		if b.Entries, err = g.Book(ctx, p.Router); err != nil {
			return err
		}
	} else if b.Entries, err = entries(ctx, g, p.Router, changed); err != nil || len(b.Entries) == 0 {
		return err
	}
	x.revision++
	b.Revision = x.revision
	return x.box.SendBook(ctx, b)
}

// entries returns the changes that a router needs.
func entries(ctx context.Context, g *registry.Registry, router string, changed map[place]bool) ([]uplink.BookEntry, error) {
	list := []uplink.BookEntry{}
	for c := range changed {
		needs, err := g.Needs(ctx, router, c.router)
		if err != nil {
			return nil, err
		}
		if !needs {
			continue
		}
		e, err := g.Entry(ctx, c.router, c.node, c.iface)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// sendConfig sends the configuration that the box should run, unless it runs it
// or refused this very one.
func (x *box) sendConfig(ctx context.Context) error {
	g := x.c.Registry
	v, p, err := g.Wanted(ctx, x.id)
	if err != nil || p.Router == "" {
		return err
	}
	a, err := g.Asset(ctx, x.id)
	if err != nil {
		return err
	}
	f := x.box.Claim().Hello.Facts
	if x.sent == "" && f.Config == v.Digest && f.Router == p.Router && f.Node == p.Node && !refused(a.Config) {
		if a.Config == nil || a.Config.Status == uplink.ConfigInSync {
			x.sent = v.Digest // it came with it
		}
		return nil // or will say what became of another
	}
	if !due(a, v.Digest, p, x.sent) {
		return nil
	}
	x.sent = v.Digest
	s, err := x.box.SendConfig(ctx, &uplink.Config{Router: p.Router, Node: p.Node, Packed: v.Packed, Confirm: v.Confirm,
		Replace: a.Replace == v.Digest})
	if err != nil {
		x.sent = ""
		return err
	}
	if s.Sent == "" {
		s.Sent = v.Digest
	}
	return x.c.ConfigState(ctx, x.id, s)
}

// refused tells that what a box said last was no to a configuration. One that runs
// what is committed now has to be sent it all the same, to say yes.
func refused(s *uplink.ConfigState) bool {
	return s != nil && (s.Status == uplink.ConfigOutOfSync || s.Status == uplink.ConfigInvalid || s.Status == uplink.ConfigRolledBack)
}

// due tells whether the box has to be sent the configuration of a digest.
func due(a asset.Asset, digest string, p asset.Place, sent string) bool {
	s := a.Config
	switch {
	case s == nil:
		return true
	case s.Status == uplink.ConfigInSync && s.Running == digest && s.Router == p.Router && s.Node == p.Node:
		return false
	case a.Replace == digest && s.Status == uplink.ConfigOutOfSync:
		return true
	case s.Sent == digest && refused(s):
		return false // it said no, and would again
	}
	return sent != digest
}
