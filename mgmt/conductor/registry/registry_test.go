package registry

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

// Assets of the example.
const (
	branch = "WM-0001"
	hub    = "WM-1001"
)

func acme(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../config/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// newRegistry runs the example.
func newRegistry(t *testing.T) *Registry {
	t.Helper()
	g := &Registry{Store: &store.Memory{}}
	load(t, g, acme(t))
	return g
}

func load(t *testing.T, g *Registry, data []byte) Version {
	t.Helper()
	if _, _, err := g.LoadConfig(t.Context(), data, "test"); err != nil {
		t.Fatal(err)
	}
	v, _, err := g.Commit(t.Context(), "", "test")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConfigHistory(t *testing.T) {
	g := newRegistry(t)
	if _, _, err := g.Commit(t.Context(), "", "test"); !errors.Is(err, ErrNoCandidate) {
		t.Error("committed nothing:", err)
	}
	for i := 2; i <= 14; i++ {
		data := strings.Replace(string(acme(t)), "branch office", fmt.Sprint("office ", i), 1)
		if v := load(t, g, []byte(data)); v.Number != i {
			t.Errorf("version %d, want %d", v.Number, i)
		}
	}
	all, err := g.Versions(t.Context())
	if err != nil || len(all) != 10 || all[0].Number != 4 || all[9].Number != 13 {
		t.Fatalf("%d versions, %v", len(all), err)
	}
	d, err := all[0].Draft()
	if err != nil || !strings.Contains(string(d.JSON()), `"office 4"`) {
		t.Error("the oldest version is another:", err)
	}
}

func TestWrongConfig(t *testing.T) {
	g := newRegistry(t)
	var finds *FindingsError
	if _, _, err := g.LoadConfig(t.Context(), []byte(`{"authority": {"nmae": "x"}}`), "test"); !errors.As(err, &finds) {
		t.Error("an unknown name is a candidate:", err)
	}
	if _, _, err := g.LoadConfig(t.Context(), []byte("config authority nmae x"), "test"); err == nil {
		t.Error("an unknown name in text is a candidate")
	}
	data := strings.Replace(string(acme(t)), `"inter-node-security": "internal"`, `"inter-node-security": "nobody"`, 1)
	v, found, err := g.LoadConfig(t.Context(), []byte(data), "test")
	if err != nil || !found.Failed() {
		t.Fatalf("%v, %v", found, err)
	}
	if _, _, err := g.Commit(t.Context(), v.Digest, "test"); !errors.As(err, &finds) {
		t.Error("a configuration with errors was committed:", err)
	}
	if _, _, err := g.Commit(t.Context(), "other", "test"); !errors.Is(err, ErrChanged) {
		t.Error("another candidate was committed:", err)
	}
	if run, err := g.Running(t.Context()); err != nil || run.Number != 1 {
		t.Errorf("version %d runs, %v", run.Number, err)
	}
}

func claimOf(id, finger string) asset.Claim {
	return asset.Claim{ID: id, Channel: asset.Uplink, Finger: finger, From: "192.0.2.1", Now: time.Now()}
}

func TestClaims(t *testing.T) {
	g := newRegistry(t)
	g.MaxPending = 3
	claim := func(id, finger string, want uplink.State) {
		t.Helper()
		if got, _, err := g.Claim(t.Context(), claimOf(id, finger)); err != nil || got != want {
			t.Errorf("%s %s: %s, %v; want %s", id, finger, got, err, want)
		}
	}
	claim(branch, "k1", uplink.StateAccepted)
	claim(branch, "k2", uplink.StateDuplicate)
	for i := range 3 {
		claim(fmt.Sprint("stranger", i), "k", uplink.StatePending)
	}
	if _, _, err := g.Claim(t.Context(), claimOf("stranger3", "k")); !errors.Is(err, ErrFull) {
		t.Error("no bound to strangers:", err)
	}
	claim(hub, "k1", uplink.StateAccepted) // who is known finds room
	claim("stranger0", "k", uplink.StatePending)
	if err := g.Accept(t.Context(), "stranger0", "", "admin"); err != nil {
		t.Error(err)
	}
	claim("stranger0", "k", uplink.StateAccepted)
	if err := g.Accept(t.Context(), "nobody", "", "admin"); !errors.Is(err, asset.ErrUnknown) {
		t.Error("accepted nobody:", err)
	}
	rows, err := g.Rows(t.Context())
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d assets, %v", len(rows), err)
	}
}

const epoch1, epoch2 = "00000000000000000000000000000001", "00000000000000000000000000000002"

// batch is events first to last; every tenth adds an alarm, which the fifth
// after it clears, but for the last.
func batch(epoch string, first, last uint64) *uplink.Events {
	b := &uplink.Events{Epoch: epoch}
	for n := first; n <= last; n++ {
		e := uplink.Event{Seq: n, Record: event.Record{ID: fmt.Sprint(n), Router: "branch1", Message: fmt.Sprint("event ", n), Time: time.Unix(int64(n), 0)}}
		switch n % 10 {
		case 0:
			e.Alarm, e.Record.Type = n, event.TypeAdd
		case 5:
			e.Alarm, e.Record.Type = max(n-5, 1), event.TypeClear
		}
		b.Events = append(b.Events, e)
	}
	return b
}

// Two conductors, batches that overlap, the same ones again: every event once,
// in order.
func TestEventsOnce(t *testing.T) {
	st := &store.Memory{}
	one, two := &Registry{Store: st, MaxEvents: 5000}, &Registry{Store: st, MaxEvents: 5000}
	var both sync.WaitGroup
	for i, g := range []*Registry{one, two} {
		both.Go(func() {
			for at := uint64(1); at <= 2000; at += uint64(40 + 17*i) {
				p, err := g.Position(t.Context(), branch)
				if err == nil {
					from := min(p.Seq+1, at) // as a box that does not know of the other connection
					err = g.TakeEvents(t.Context(), branch, batch(epoch1, max(1, from), min(p.Seq+100, 2000)))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	for p, _ := one.Position(t.Context(), branch); p.Seq < 2000; p, _ = one.Position(t.Context(), branch) {
		if err := one.TakeEvents(t.Context(), branch, batch(epoch1, p.Seq+1, min(p.Seq+100, 2000))); err != nil {
			t.Fatal(err)
		}
	}
	all, err := two.Events(t.Context(), EventFilter{Asset: branch, Limit: 10000})
	if err != nil || len(all) != 2000 {
		t.Fatalf("%d events, %v", len(all), err)
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d is %d", i+1, e.Seq)
		}
	}
	alarms := func(want int) {
		t.Helper()
		list, err := store.All[[]Event](t.Context(), st, store.Below(keyAlarms))
		n := 0
		for _, l := range list {
			n += len(l)
		}
		if err != nil || n != want {
			t.Errorf("%d alarms, want %d, %v", n, want, err)
		}
	}
	alarms(1) // 2000 added one
	if err := one.TakeEvents(t.Context(), branch, batch(epoch2, 1, 30)); err != nil {
		t.Fatal(err)
	}
	alarms(1) // 30 did; what the lost queue knew is void
}

func TestEventsAreBounded(t *testing.T) {
	g := &Registry{Store: &store.Memory{}, MaxEvents: 200}
	for at := uint64(1); at <= 3000; at += 30 {
		if err := g.TakeEvents(t.Context(), branch, batch(epoch1, at, at+29)); err != nil {
			t.Fatal(err)
		}
		items, _ := g.Store.List(t.Context(), store.Below(keyEvents, branch), 0)
		if len(items) > 5 {
			t.Fatalf("%d chunks", len(items))
		}
	}
	all, err := g.Events(t.Context(), EventFilter{Asset: branch})
	if err != nil || len(all) < 200 || len(all) > 300 || all[len(all)-1].Seq != 3000 {
		t.Errorf("%d events, %v", len(all), err)
	}
}

func TestAddresses(t *testing.T) {
	g := newRegistry(t)
	p, err := g.running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wan := p.auth.FindRouter("branch1").Nodes[0].Devices[0].Interfaces[0].Name
	tell := func(id string, full bool, list ...uplink.Address) error {
		return g.TakeAddresses(t.Context(), id, &uplink.Addresses{Full: full, Addresses: list})
	}
	own := uplink.Address{Router: "branch1", Node: "node1", Interface: wan, Address: netip.MustParseAddr("198.51.100.7")}
	if err := tell(branch, true, own); err != nil {
		t.Fatal(err)
	}
	stolen := own
	stolen.Address = netip.MustParseAddr("203.0.113.66")
	if err := tell(hub, false, stolen); !errors.Is(err, ErrNotIts) {
		t.Error("another box moved the branch:", err)
	}
	if err := tell("nobody", true, stolen); !errors.Is(err, ErrNotIts) {
		t.Error("nobody moved the branch:", err)
	}
	book, err := g.Book(t.Context(), "hub1")
	if err != nil || len(book) != 1 || book[0].Address != own.Address {
		t.Errorf("the hub's book: %v, %v", book, err)
	}
	if book, err := g.Book(t.Context(), "branch1"); err != nil || len(book) != 0 {
		t.Errorf("the branch's book has itself: %v, %v", book, err)
	}
	revision := func() int64 {
		it, err := g.Store.Get(t.Context(), store.Path(keyAddress, "branch1", "node1", wan))
		if err != nil {
			t.Fatal(err)
		}
		return it.Revision
	}
	before := revision()
	if err := tell(branch, true, own); err != nil || revision() != before {
		t.Error("no news was written:", err)
	}
	if err := tell(branch, true); err != nil || revision() != 0 {
		t.Error("an address that is no more stays:", err)
	}
}

func TestEntitlement(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	clock = func() time.Time { return now }
	defer func() { clock = time.Now }()
	g := newRegistry(t)
	tell := func(at time.Time, peak uint64) {
		t.Helper()
		err := g.TakeEntitlement(t.Context(), branch, &uplink.Entitlement{Router: "branch1", Samples: []uplink.Sample{{Start: at, Seconds: 300, Peak: peak}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(months ...string) {
		t.Helper()
		rows, err := g.Entitlement(t.Context())
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s %v %.2f", r.Month, r.Current, r.Mbps))
		}
		if err != nil || strings.Join(got, ", ") != strings.Join(months, ", ") {
			t.Errorf("%q, %v; want %q", got, err, months)
		}
	}
	tell(now.AddDate(0, 0, -3), 5_000_000)
	tell(now, 11_940_000)
	tell(now.Add(-time.Hour), 2_000_000)
	want("2026-10 false 5.00", "2026-11 true 11.94")
	tell(now, 3_000_000) // the same start replaces, also by less
	want("2026-10 false 5.00", "2026-11 true 3.00")
	tell(time.Unix(0, 0), 99_000_000) // a box without a clock
	tell(now.Add(48*time.Hour), 99_000_000)
	want("2026-10 false 5.00", "2026-11 true 3.00")
	days, err := g.EntitlementDays(t.Context(), branch)
	if got := fmt.Sprint(days); err != nil || got != "[{branch1 2026-10-30 5 WM-0001} {branch1 2026-11-02 3 WM-0001}]" {
		t.Errorf("days %s, %v", got, err)
	}
	if _, err := g.EntitlementDays(t.Context(), "nobody"); !errors.Is(err, asset.ErrUnknown) {
		t.Errorf("days of nobody: %v", err)
	}
}
