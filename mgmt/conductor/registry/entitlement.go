package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
)

// How long samples and peaks are kept, and how wrong a box's clock may be.
const (
	keepDays   = 35
	keepMonths = 24
	ahead      = time.Hour
)

// month is what a router used in one month.
type month struct {
	Router string            `json:"router"`
	Days   map[string]uint64 `json:"days"` // "02" to its peak, bit/s
}

// day is the samples of one day, by the second of it they began at.
type day struct {
	Samples map[int]uplink.Sample `json:"samples"`
}

// TakeEntitlement keeps samples; the same start replaces. Samples of a clock
// that is wrong by more than an hour ahead, or older than 35 days, are dropped:
// nobody could tell what month they belong to.
func (g *Registry) TakeEntitlement(ctx context.Context, id string, e *uplink.Entitlement) error {
	byDay := map[string][]uplink.Sample{}
	for _, s := range e.Samples {
		s.Start = s.Start.UTC()
		if now := clock(); s.Start.After(now.Add(ahead)) || now.Sub(s.Start) > keepDays*24*time.Hour {
			continue
		}
		byDay[s.Start.Format("2006-01-02")] = append(byDay[s.Start.Format("2006-01-02")], s)
	}
	for date, samples := range byDay {
		if err := g.takeDay(ctx, id, e.Router, date, samples); err != nil {
			return fmt.Errorf("keep entitlement of %s: %w", id, err)
		}
	}
	return nil
}

func (g *Registry) takeDay(ctx context.Context, id, router, date string, samples []uplink.Sample) error {
	dayKey, monthKey := store.Path(keyEntitlement, id, "day", date), store.Path(keyEntitlement, id, "month", date[:7])
	old, err := g.outdated(ctx, id)
	if err != nil {
		return err
	}
	return store.Update(ctx, g.Store, func(t *store.Tx) error {
		d, _, err := store.Read[day](t, dayKey)
		if err != nil {
			return err
		}
		if d.Samples == nil {
			d.Samples = map[int]uplink.Sample{}
		}
		for _, s := range samples {
			d.Samples[s.Start.Hour()*3600+s.Start.Minute()*60+s.Start.Second()] = s
		}
		for len(d.Samples) > uplink.MaxSamples { // other intervals than we know
			delete(d.Samples, oldest(d.Samples))
		}
		m, _, err := store.Read[month](t, monthKey)
		if err != nil {
			return err
		}
		if m.Days == nil {
			m.Days = map[string]uint64{}
		}
		m.Router, m.Days[date[8:]] = router, peak(d.Samples)
		t.Set(dayKey, d)
		t.Set(monthKey, m)
		for _, key := range old {
			t.Put(key, nil)
		}
		return nil
	})
}

func oldest(m map[int]uplink.Sample) int {
	first := 86400
	for at := range m {
		first = min(first, at)
	}
	return first
}

func peak(m map[int]uplink.Sample) (p uint64) {
	for _, s := range m {
		p = max(p, s.Peak)
	}
	return p
}

// outdated lists keys of an asset that are older than we keep them, a few.
func (g *Registry) outdated(ctx context.Context, id string) ([]string, error) {
	var old []string
	for kind, since := range map[string]string{
		"day":   clock().UTC().AddDate(0, 0, -keepDays-1).Format("2006-01-02"),
		"month": clock().UTC().AddDate(0, -keepMonths, 0).Format("2006-01"),
	} {
		items, err := g.Store.List(ctx, store.Below(keyEntitlement, id, kind), 4)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			if p := store.Parts(it.Key); p[3] < since {
				old = append(old, it.Key)
			}
		}
	}
	return old, nil
}

// EntitlementRow is what a router used in a month: the peak of its samples.
type EntitlementRow struct {
	Project string  `json:"project"` // the router
	Month   string  `json:"month"`   // "2026-11"
	Current bool    `json:"current"` // it is this month
	Mbps    float64 `json:"entitlement-utilized-mbps"`
	Asset   string  `json:"asset-id"`
}

// Entitlement lists the months of all routers.
func (g *Registry) Entitlement(ctx context.Context) ([]EntitlementRow, error) {
	items, err := g.Store.List(ctx, store.Below(keyEntitlement), 0)
	if err != nil {
		return nil, err
	}
	rows := []EntitlementRow{}
	for _, it := range items {
		p := store.Parts(it.Key)
		if len(p) != 4 || p[2] != "month" {
			continue
		}
		m, _, err := store.Load[month](ctx, g.Store, it.Key)
		if err != nil {
			return nil, err
		}
		var top uint64
		for _, v := range m.Days {
			top = max(top, v)
		}
		rows = append(rows, EntitlementRow{m.Router, p[3], p[3] == clock().UTC().Format("2006-01"), float64(top/10000) / 100, p[1]})
	}
	slices.SortFunc(rows, func(a, b EntitlementRow) int {
		return strings.Compare(a.Project+"\x00"+a.Month, b.Project+"\x00"+b.Month)
	})
	return rows, nil
}

// DayRow is what a router used on a day: the peak of its samples.
type DayRow struct {
	Project string  `json:"project"` // the router
	Day     string  `json:"day"`     // "2026-11-27", UTC
	Mbps    float64 `json:"entitlement-utilized-mbps"`
	Asset   string  `json:"asset-id"`
}

// EntitlementDays lists the days of one asset with traffic, oldest first, as long
// as months are kept.
func (g *Registry) EntitlementDays(ctx context.Context, id string) ([]DayRow, error) {
	items, err := g.Store.List(ctx, store.Below(keyEntitlement, id, "month"), 0)
	if err != nil {
		return nil, err
	}
	rows := []DayRow{}
	for _, it := range items {
		m, _, err := store.Load[month](ctx, g.Store, it.Key)
		if err != nil {
			return nil, err
		}
		for day, top := range m.Days {
			rows = append(rows, DayRow{m.Router, store.Parts(it.Key)[3] + "-" + day, float64(top/10000) / 100, id})
		}
	}
	if len(rows) == 0 {
		if a, err := g.Asset(ctx, id); err != nil || a.ID == "" {
			return nil, errors.Join(err, asset.ErrUnknown)
		}
	}
	slices.SortFunc(rows, func(a, b DayRow) int { return strings.Compare(a.Day, b.Day) })
	return rows, nil
}
