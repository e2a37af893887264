package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"waymark/net/keep"
	"waymark/svr/policy"
	"waymark/svr/router/ctl"
)

// book is where the conductor says that dynamic addresses of peers are. It
// outlives the process in a file. Safe for any goroutine.
type book struct {
	name string

	mu      sync.Mutex // guards the rest
	entries map[string]bookLine
}

// bookLine is an entry and when it was told.
type bookLine struct {
	ctl.BookEntry
	At time.Time `json:"at"`
}

// openBook reads the book that an earlier process left. One that cannot be read
// is none: the conductor tells it again.
func openBook(run string) *book {
	b := &book{name: filepath.Join(run, BookFile), entries: map[string]bookLine{}}
	raw, err := os.ReadFile(b.name)
	var list []bookLine
	if err != nil || json.Unmarshal(raw, &list) != nil {
		return b
	}
	for _, l := range list[:min(len(list), ctl.MaxEntries)] {
		b.entries[l.key()] = l
	}
	return b
}

// key tells interfaces apart.
func (l *bookLine) key() string { return l.Router + "\x00" + l.Node + "\x00" + l.Interface }

var errBookFull = errors.New("the address book is full")

// take merges what was told; changed are the entries whose address is another.
func (b *book) take(told *ctl.Book, now time.Time) (changed []bookLine, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := map[string]bookLine{}
	if !told.Full {
		for k, l := range b.entries {
			next[k] = l
		}
	}
	for i := range told.Entries {
		l := bookLine{told.Entries[i], now}
		old, known := b.entries[l.key()]
		if known && old.Address == l.Address && old.Hostname == l.Hostname {
			l.At = old.At
		} else {
			changed = append(changed, l)
		}
		next[l.key()] = l
	}
	if len(next) > ctl.MaxEntries {
		return nil, errBookFull
	}
	for k, l := range b.entries { // with a full book, those that are gone
		if _, ok := next[k]; !ok {
			l.Address = netip.Addr{}
			changed = append(changed, l)
		}
	}
	b.entries = next
	return changed, b.save()
}

// save writes the file; mu is held. It need not outlive the box.
func (b *book) save() error {
	raw, err := json.Marshal(b.sorted())
	if err == nil {
		err = keep.Exchange(b.name, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep address book: %w", err)
	}
	return nil
}

// sorted lists the entries by name; mu is held.
func (b *book) sorted() []bookLine {
	list := make([]bookLine, 0, len(b.entries))
	for _, l := range b.entries {
		list = append(list, l)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].key() < list[j].key() })
	return list
}

func (b *book) list() []bookLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sorted()
}

// takeBook answers a client that brought entries.
func (r *Router) takeBook(told *ctl.Book, a *answer) error {
	changed, err := r.book.take(told, time.Now())
	answer := struct {
		Error string `json:"error,omitempty"`
	}{}
	if err != nil {
		answer.Error = err.Error()
		r.log.Warn("address book not taken", "error", err)
	}
	r.useBook(changed)
	return a.object(answer)
}

// useBook has paths whose peer's address nobody configured go where the book
// says.
func (r *Router) useBook(lines []bookLine) {
	for i := range lines {
		l := &lines[i]
		for id := range r.tables.Paths {
			p := &r.tables.Paths[id]
			if !concerns(l, p, r.tables.Peers[p.Peer].Name) {
				continue
			}
			r.log.Info("address book", "peer", l.Router, "path", p.Name, "address", l.Address)
			r.bfd.SetRemote(p.ID, l.Address)
		}
	}
}

// concerns tells whether a line is about the far end of a path: one without an
// address of its own, that is not behind a NAT which only it can open.
func concerns(l *bookLine, p *policy.Path, peer string) bool {
	switch {
	case p.Remote.IsValid() || p.PeerOutbound:
		return false
	case p.RemoteHostname != "" && l.Hostname != "":
		return strings.EqualFold(p.RemoteHostname, l.Hostname)
	}
	a := p.Adjacency
	return peer == l.Router && a.PeerInterface == l.Interface && (a.PeerNode == "" || l.Node == "" || a.PeerNode == l.Node)
}

// agentStatus is what this table needs of the agent's file in the run directory.
type agentStatus struct {
	Conductors []struct {
		Acknowledged bool `json:"addresses-acknowledged"`
	} `json:"conductors"`
}

// showDynamicPeerUpdate prints our dynamic addresses, as conductors are told
// them, then those of peers, as conductors told us.
func (r *Router) showDynamicPeerUpdate(a *answer) error {
	told := "not-sent"
	if raw, err := os.ReadFile(filepath.Join(r.set.RunDir, "agent.json")); err == nil {
		var s agentStatus
		if json.Unmarshal(raw, &s) == nil && len(s.Conductors) > 0 {
			told = "acknowledged"
			for _, c := range s.Conductors {
				if !c.Acknowledged {
					told = "pending"
				}
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read agent's status: %w", err)
	}
	status, _ := r.snapshot()
	for i := range r.tables.Interfaces {
		f, s := &r.tables.Interfaces[i], &status[i]
		if !f.DHCP {
			continue
		}
		address := any(nil)
		if list := addresses(s.Addrs); len(list) > 0 {
			address, _, _ = strings.Cut(list[0], "/")
		}
		if err := a.row(r.tables.RouterName, r.tables.NodeName, f.Name, orNull(f.Config.Hostname), address, nil, told); err != nil {
			return err
		}
	}
	for _, l := range r.book.list() {
		if err := a.row(l.Router, orNull(l.Node), l.Interface, orNull(l.Hostname), addrOrNull(l.Address), l.At.UTC(), "learned"); err != nil {
			return err
		}
	}
	return nil
}
