package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

// A chunk is one value of the store with events that followed one another. It
// takes more until it has either.
const (
	chunkEvents = 64
	chunkBytes  = 64 << 10
	maxChunks   = 4096
	maxAlarms   = 512 // active ones of one box
)

// position is how far the events of an asset are kept, and where.
type position struct {
	uplink.Position
	First  int    `json:"first"`  // number of the oldest chunk
	Counts []int  `json:"counts"` // events of each chunk from First on
	Lost   uint64 `json:"lost"`   // events that the box had to drop, ever
}

// Event is one event of a box as it is kept.
type Event struct {
	Asset string `json:"asset"`
	Epoch string `json:"epoch"`
	uplink.Event
}

// Position tells which events of an asset are kept.
func (g *Registry) Position(ctx context.Context, id string) (uplink.Position, error) {
	p, _, err := store.Load[position](ctx, g.Store, store.Path(keyPosition, id))
	return p.Position, err
}

// TakeEvents keeps a batch: what is new of it, once, in one transaction with
// the position and the active alarms.
func (g *Registry) TakeEvents(ctx context.Context, id string, e *uplink.Events) error {
	err := store.Update(ctx, g.Store, func(t *store.Tx) error {
		key := store.Path(keyPosition, id)
		p, _, err := store.Read[position](t, key)
		if err != nil {
			return err
		}
		fresh := newEvents(&p, id, e)
		if len(fresh) == 0 {
			return nil
		}
		if err := g.append(t, id, &p, fresh); err != nil {
			return err
		}
		if err := changeAlarms(t, id, e.Epoch, fresh); err != nil {
			return err
		}
		t.Set(key, p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep events of %s: %w", id, err)
	}
	return nil
}

// newEvents returns what of a batch is not kept yet, and moves the position.
func newEvents(p *position, id string, e *uplink.Events) []Event {
	if p.Epoch != e.Epoch {
		p.Epoch, p.Seq = e.Epoch, 0
	}
	var fresh []Event
	for _, x := range e.Events {
		if x.Seq > p.Seq {
			fresh = append(fresh, Event{id, e.Epoch, x})
			p.Seq = x.Seq
		}
	}
	if len(fresh) > 0 && fresh[0].Seq == e.Events[0].Seq {
		p.Lost += e.Lost
	}
	return fresh
}

// append writes events behind the newest and drops the oldest chunks.
func (g *Registry) append(t *store.Tx, id string, p *position, fresh []Event) error {
	var last []Event
	n := len(p.Counts)
	if n > 0 && p.Counts[n-1] < chunkEvents {
		raw, err := t.Get(chunkKey(id, p.First+n-1))
		if err != nil {
			return err
		}
		if len(raw) < chunkBytes {
			if err := json.Unmarshal(raw, &last); err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			n--
		}
	}
	p.Counts = p.Counts[:n]
	last = append(last, fresh...)
	t.Set(chunkKey(id, p.First+n), last)
	p.Counts = append(p.Counts, len(last))
	total := 0
	for _, c := range p.Counts {
		total += c
	}
	for len(p.Counts) > 1 && (total-p.Counts[0] >= g.maxEvents() || len(p.Counts) > maxChunks) {
		t.Put(chunkKey(id, p.First), nil)
		total -= p.Counts[0]
		p.First, p.Counts = p.First+1, p.Counts[1:]
	}
	return nil
}

func chunkKey(id string, n int) string { return store.Path(keyEvents, id, fmt.Sprintf("%010d", n)) }

// changeAlarms adds and clears alarms. Those of an older epoch are gone: the
// box tells anew what is wrong.
func changeAlarms(t *store.Tx, id, epoch string, fresh []Event) error {
	key := store.Path(keyAlarms, id)
	active, _, err := store.Read[[]Event](t, key)
	if err != nil {
		return err
	}
	active = slices.DeleteFunc(active, func(e Event) bool { return e.Epoch != epoch })
	for _, e := range fresh {
		if e.Alarm == 0 {
			continue
		}
		active = slices.DeleteFunc(active, func(x Event) bool { return x.Event.Alarm == e.Event.Alarm })
		if e.Record.Type == event.TypeAdd && len(active) < maxAlarms {
			active = append(active, e)
		}
	}
	if len(active) == 0 {
		t.Put(key, nil)
	} else {
		t.Set(key, active)
	}
	return nil
}

// EventFilter chooses events.
type EventFilter struct {
	Asset string // "": of all
	Limit int    // newest ones; 0 is 1,000
}

// Events returns events by time, oldest first.
func (g *Registry) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	prefix := store.Below(keyEvents)
	if f.Asset != "" {
		prefix = store.Below(keyEvents, f.Asset)
	}
	chunks, err := store.All[[]Event](ctx, g.Store, prefix)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(chunks...)
	if f.Asset == "" { // within an asset the box's order holds, whatever its clock said
		slices.SortStableFunc(all, func(a, b Event) int { return a.Record.Time.Compare(b.Record.Time) })
	}
	if n := or(f.Limit, 1000); len(all) > n {
		all = all[len(all)-n:]
	}
	return all, nil
}

// AlarmRow is one line of `show alarms`.
type AlarmRow struct {
	ID       string  `json:"id"`
	Time     *string `json:"time"` // RFC 3339, null: not known
	Severity string  `json:"severity"`
	Source   string  `json:"source"`
	Category string  `json:"category"`
	Message  string  `json:"message"`
	Router   string  `json:"router"`
	Node     string  `json:"node"`
	Asset    string  `json:"asset-id"`
	Shelf    string  `json:"shelf"` // what hides it: a shelf or maintenance-mode; "" nothing
}

const stamp = "2006-01-02T15:04:05Z"

// Alarms lists what is wrong: what boxes told, and what conductors see of them,
// hidden ones too.
func (g *Registry) Alarms(ctx context.Context) ([]AlarmRow, error) {
	all, err := store.All[[]Event](ctx, g.Store, store.Below(keyAlarms))
	if err != nil {
		return nil, err
	}
	p, err := g.running(ctx)
	if err != nil {
		return nil, err
	}
	rows := []AlarmRow{}
	add := func(r AlarmRow, told string) {
		r.Shelf = p.shelving.judge(&r, told)
		rows = append(rows, r)
	}
	for _, e := range slices.Concat(all...) {
		at := e.Record.Time.UTC().Format(stamp)
		add(AlarmRow{e.Record.ID, &at, string(e.Record.Severity), e.Record.Source, string(e.Record.Category),
			e.Record.Message, e.Record.Router, e.Record.Node, e.Asset, ""}, e.Record.Shelf)
	}
	assets, err := g.Rows(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range asset.Alarms(assets) {
		add(AlarmRow{"conductor:" + a.Asset, nil, a.Severity, "unavailable", a.Category, a.Message, a.Place.Router, a.Place.Node, a.Asset, ""}, "")
	}
	slices.SortStableFunc(rows, func(a, b AlarmRow) int { return strings.Compare(a.Router+"\x00"+a.Node, b.Router+"\x00"+b.Node) })
	return rows, nil
}
