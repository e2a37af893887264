package registry

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
)

// Address is where one network-interface of a router is reached, as its box
// told; a line of `show dynamic-peer-update`.
type Address struct {
	Router    string     `json:"router"`
	Node      string     `json:"node"`
	Interface string     `json:"interface"`
	Hostname  string     `json:"hostname"`
	Address   netip.Addr `json:"address"` // invalid (""): it has none now
	Updated   time.Time  `json:"last-update"`
	Asset     string     `json:"asset-id"`
}

// ErrNotIts: a box told an address of another router.
var ErrNotIts = fmt.Errorf("address is not of a router that the asset is")

// TakeAddresses keeps a dynamic-peer-update. A box speaks for the node that the
// configuration says it is, and for interfaces of it; the others are skipped,
// and ErrNotIts comes if none is left.
func (g *Registry) TakeAddresses(ctx context.Context, id string, u *uplink.Addresses) error {
	p, err := g.running(ctx)
	if err != nil {
		return err
	}
	own, skipped := g.ownAddresses(p, p.places[id], u)
	if len(own) == 0 && skipped {
		return fmt.Errorf("keep addresses of %s: %w", id, ErrNotIts)
	}
	place := p.places[id]
	if (place == asset.Place{}) {
		return nil // full and empty: an unconfigured box has none
	}
	items, err := g.Store.List(ctx, store.Below(keyAddress, place.Router, place.Node), 0)
	if err != nil {
		return err
	}
	err = store.Update(ctx, g.Store, func(t *store.Tx) error {
		told := map[string]bool{}
		for _, a := range own {
			key := store.Path(keyAddress, a.Router, a.Node, a.Interface)
			told[key] = true
			was, found, err := store.Read[Address](t, key)
			if err != nil {
				return err
			}
			next := Address{a.Router, a.Node, a.Interface, a.Hostname, a.Address, clock().UTC(), id}
			if found && was.Address == next.Address && was.Hostname == next.Hostname && was.Asset == id {
				continue // no news for anybody
			}
			t.Set(key, next)
		}
		for _, it := range items {
			if u.Full && !told[it.Key] {
				t.Put(it.Key, nil)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep addresses of %s: %w", id, err)
	}
	return nil
}

// maxOwn bounds the addresses of one box in one transaction.
const maxOwn = 32

// ownAddresses returns those that a box may tell.
func (g *Registry) ownAddresses(p *parsed, place asset.Place, u *uplink.Addresses) (own []uplink.Address, skipped bool) {
	r := p.auth.FindRouter(place.Router)
	for _, a := range u.Addresses {
		if r == nil || a.Router != place.Router || a.Node != place.Node || len(own) >= maxOwn {
			skipped = true
			continue
		}
		n := r.FindNode(a.Node)
		if n == nil {
			skipped = true
			continue
		}
		if _, ni := n.FindInterface(a.Interface); ni == nil {
			skipped = true
			continue
		}
		own = append(own, a)
	}
	return own, skipped
}

// Addresses lists the address book.
func (g *Registry) Addresses(ctx context.Context) ([]Address, error) {
	return store.All[Address](ctx, g.Store, store.Below(keyAddress))
}

// Book returns what a router needs of the address book: its peers' part.
func (g *Registry) Book(ctx context.Context, router string) ([]uplink.BookEntry, error) {
	p, err := g.running(ctx)
	if err != nil {
		return nil, err
	}
	all, err := g.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	peers, entries := g.peersOf(p, router), []uplink.BookEntry{}
	for _, a := range all {
		if peers[a.Router] && len(entries) < uplink.MaxBook {
			entries = append(entries, entry(a))
		}
	}
	return entries, nil
}

func entry(a Address) uplink.BookEntry {
	return uplink.BookEntry{Router: a.Router, Node: a.Node, Interface: a.Interface, Hostname: a.Hostname, Address: a.Address}
}

// Entry returns one entry of the book for those that need it; its address is
// invalid if it is no more.
func (g *Registry) Entry(ctx context.Context, router, node, iface string) (uplink.BookEntry, error) {
	a, found, err := store.Load[Address](ctx, g.Store, store.Path(keyAddress, router, node, iface))
	if !found {
		return uplink.BookEntry{Router: router, Node: node, Interface: iface}, err
	}
	return entry(a), err
}

// Needs tells whether a router has a path to another.
func (g *Registry) Needs(ctx context.Context, router, peer string) (bool, error) {
	p, err := g.running(ctx)
	if err != nil {
		return false, err
	}
	return g.peersOf(p, router)[peer], nil
}
