package agent

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/tail"
	"waymark/net/resolve"
	"waymark/svr/router/ctl"
)

// How often the agent looks at what the other processes wrote. Nothing of it
// leaves the box.
const (
	lookEvery = 250 * time.Millisecond
	askEvery  = 30 * time.Second // asks the router though nothing seemed to change
)

// watcher follows what the other processes of the box tell: events, dynamic
// addresses, the ways out. One goroutine.
type watcher struct {
	a        *uplinks
	tails    []*tail.Follower
	lastErr  []string
	resolved time.Time // of the file with the ways out
	asked    time.Time
	stale    bool // the addresses are to be asked for
}

// eventFiles are what processes write events into, by their names in the queue.
var eventFiles = []struct{ source, file string }{
	{"router", "events.jsonl"}, {"init", "init-events.jsonl"}, {"agent", eventsFile},
}

func newWatcher(a *uplinks) *watcher {
	w := &watcher{a: a, stale: true}
	for _, f := range eventFiles {
		w.tails = append(w.tails, tail.New(filepath.Join(a.set.RunDir, f.file), f.source, a.queue))
	}
	w.lastErr = make([]string, len(w.tails))
	return w
}

func (w *watcher) run(ctx context.Context) {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for {
		w.look(ctx)
		select {
		case <-every.C:
		case <-ctx.Done():
			for _, t := range w.tails {
				t.Close()
			}
			return
		}
	}
}

// look takes what changed.
func (w *watcher) look(ctx context.Context) {
	for i, t := range w.tails {
		n, err := t.Poll()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != "" && text != w.lastErr[i] {
			w.a.log.Error("agent: events are not followed", "err", err)
		}
		w.lastErr[i] = text
		w.stale = w.stale || n > 0
	}
	w.ways()
	if w.stale || time.Since(w.asked) > askEvery {
		w.asked = time.Now()
		w.stale = !w.addresses(ctx)
	}
	w.a.delivery.look()
}

// ways looks whether the ways out changed.
func (w *watcher) ways() {
	name := filepath.Join(w.a.set.RunDir, resolveFile)
	var at time.Time
	if info, err := os.Stat(name); err == nil {
		at = info.ModTime()
	}
	if at.Equal(w.resolved) && !w.a.due() {
		return
	}
	w.resolved = at
	wans, err := resolve.Read(name)
	if err != nil {
		wans = nil // no router, or none that has a way out
	}
	w.a.setWays(wans)
}

// row is what the table of network-interfaces says of one.
type row struct {
	Router   string          `json:"router"`
	Node     string          `json:"node"`
	Name     string          `json:"name"`
	Address  json.RawMessage `json:"address"`
	Hostname *string         `json:"hostname"`
	Dynamic  bool            `json:"dynamic"`
}

// addresses asks the router for the addresses that networks chose; false: it
// does not answer now.
func (w *watcher) addresses(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var list []uplink.Address
	_, err := ctl.AskContext(ctx, w.a.set.RunDir, ctl.Request{Show: "network-interface"}, func(raw json.RawMessage) error {
		var r row
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if !r.Dynamic {
			return nil
		}
		a := uplink.Address{Router: r.Router, Node: r.Node, Interface: r.Name, Address: firstAddress(r.Address), Since: time.Now().UTC()}
		if r.Hostname != nil {
			a.Hostname = *r.Hostname
		}
		list = append(list, a)
		return nil
	})
	if err != nil {
		return false
	}
	if len(list) > 0 {
		w.a.identify(list[0].Router, list[0].Node)
	}
	w.a.board.SetAddresses(list)
	return true
}

// firstAddress is the first IPv4 address of a cell, else the first; invalid:
// there is none.
func firstAddress(cell json.RawMessage) (first netip.Addr) {
	var many []string
	if json.Unmarshal(cell, &many) != nil {
		var one string
		if json.Unmarshal(cell, &one) != nil {
			return first
		}
		many = []string{one}
	}
	for _, text := range many {
		bare, _, _ := strings.Cut(text, "/")
		a, err := netip.ParseAddr(bare)
		if err == nil && (a.Is4() || !first.IsValid() && !a.IsLinkLocalUnicast()) {
			first = a
			if a.Is4() {
				break
			}
		}
	}
	return first
}

// stays tells whether a connection from a local address is the one that would
// be made now: the address is still the box's, and not one of a WAN that is not
// the live one.
func stays(wans *resolve.File) func(local net.Addr) bool {
	return func(local net.Addr) bool {
		ap, err := netip.ParseAddrPort(local.String())
		if err != nil {
			return true
		}
		ip := ap.Addr().Unmap()
		if wans != nil {
			for i := range wans.WANs {
				if slices.Contains(wans.WANs[i].Addresses, ip) {
					return i == 0
				}
			}
		}
		all, err := net.InterfaceAddrs()
		if err != nil {
			return true
		}
		return slices.ContainsFunc(all, func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Addr() == ip
		})
	}
}

// sameWays tells whether two states of the ways out are the same.
func sameWays(a, b *resolve.File) bool { return reflect.DeepEqual(a, b) }
