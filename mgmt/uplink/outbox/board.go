// Package outbox is what a box has to report: its queue of events, its dynamic
// addresses, samples of what it forwarded, the state of its configuration. Board
// has it for all conductors; an Outbox brings it to one and remembers what that
// one has.
package outbox

import (
	"maps"
	"slices"
	"sort"
	"sync"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/queue"
)

// Board is what there is to report. Safe for concurrent use.
type Board struct {
	q *queue.Queue

	mu      sync.Mutex // guards the rest
	changed chan struct{}
	version uint64 // of the newest change
	addrs   map[string]versioned[uplink.Address]
	samples []versioned[uplink.Sample] // by version
	router  string                     // of the samples
	due     uint64                     // samples up to this version may go
	config  versioned[uplink.ConfigState]
}

// versioned is a value and the version of its last change.
type versioned[T any] struct {
	value   T
	version uint64
}

// NewBoard makes a board around a queue.
func NewBoard(q *queue.Queue) *Board {
	return &Board{q: q, changed: make(chan struct{}), addrs: map[string]versioned[uplink.Address]{}}
}

// touch counts a change and wakes who waits; mu is held.
func (b *Board) touch() uint64 {
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
	return b.version
}

// SetAddresses replaces the dynamic addresses of the box. It tells whether
// something changed.
func (b *Board) SetAddresses(list []uplink.Address) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := map[string]uplink.Address{}
	for _, a := range list[:min(len(list), uplink.MaxAddrs/2)] {
		now[a.Router+"\x00"+a.Node+"\x00"+a.Interface] = a
	}
	for key, old := range b.addrs { // what is gone has no address now
		if _, ok := now[key]; !ok {
			gone := old.value
			gone.Address = uplink.Address{}.Address
			now[key] = gone
		}
	}
	any := false
	for key, a := range now {
		old, known := b.addrs[key]
		if known && same(old.value, a) {
			continue
		}
		b.addrs[key] = versioned[uplink.Address]{a, b.touch()}
		any = true
	}
	return any
}

// same compares addresses without their times.
func same(a, b uplink.Address) bool { return a.Address == b.Address && a.Hostname == b.Hostname }

// AddSample adds a sample with traffic. It goes out at once, or with the next
// Wake if later is true. A day's worth is kept.
func (b *Board) AddSample(router string, s uplink.Sample, later bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.touch()
	b.router = router
	b.samples = append(b.samples, versioned[uplink.Sample]{s, v})
	if n := len(b.samples) - uplink.MaxSamples; n > 0 {
		b.samples = slices.Delete(b.samples, 0, n)
	}
	if !later {
		b.due = v
	}
}

// Wake lets go what waited for a moment at which something is sent anyway. It
// tells whether there is anything.
func (b *Board) Wake() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.samples) == 0 || b.samples[len(b.samples)-1].version <= b.due {
		return false
	}
	b.due = b.touch()
	return true
}

// SetConfig tells how the configuration stands.
func (b *Board) SetConfig(s uplink.ConfigState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.config.version == 0 || b.config.value != s {
		b.config = versioned[uplink.ConfigState]{s, b.touch()}
	}
}

// Config returns how the configuration stands.
func (b *Board) Config() uplink.ConfigState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.config.value
}

// addresses returns those that changed after a version, or all that are there
// with after 0, and up to which version that is.
func (b *Board) addresses(after uint64, full bool) (*uplink.Addresses, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := &uplink.Addresses{Full: full, Addresses: []uplink.Address{}}
	for _, key := range slices.Sorted(maps.Keys(b.addrs)) {
		a := b.addrs[key]
		if full && a.value.Address.IsValid() || !full && a.version > after {
			u.Addresses = append(u.Addresses, a.value)
		}
	}
	return u, b.version
}

// entitlement returns the samples after a version that may go; nil: none.
func (b *Board) entitlement(after uint64) (*uplink.Entitlement, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := &uplink.Entitlement{Router: b.router}
	last := after
	for _, s := range b.samples {
		if s.version > after && s.version <= b.due {
			e.Samples = append(e.Samples, s.value)
			last = max(last, s.version)
		}
	}
	if len(e.Samples) == 0 {
		return nil, after
	}
	return e, last
}

// configAfter returns the state of the configuration if it changed after a
// version.
func (b *Board) configAfter(after uint64) (*uplink.ConfigState, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.config.version <= after {
		return nil, after
	}
	s := b.config.value
	return &s, b.config.version
}

// signals returns channels that are closed at the next change.
func (b *Board) signals() (changed, grown <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed, b.q.Grown()
}

// Addresses returns what is known of the dynamic addresses, for tables.
func (b *Board) Addresses() []uplink.Address {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []uplink.Address
	for _, a := range b.addrs {
		list = append(list, a.value)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Interface < list[j].Interface })
	return list
}
