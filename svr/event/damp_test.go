package event_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"waymark/svr/event"
)

// A link that comes and goes every second costs a handful of events, its alarm
// stays meanwhile, and is over a minute after the last time.
func TestFlap(t *testing.T) {
	l := event.New(event.Config{Router: "r", Node: "n", Process: "router", Damp: true})
	a := event.InterfaceDown("lte")
	at := start
	for range 600 {
		l.Set(at, a, true)
		at = at.Add(500 * time.Millisecond)
		l.Set(at, a, false)
		at = at.Add(500 * time.Millisecond)
		l.Tick(at)
	}
	if n := len(l.Events()); n != 2*event.FlapRaises-1 || len(l.Active()) != 1 {
		t.Errorf("%d events, %d active", n, len(l.Active()))
	}
	quiet := at.Add(-500 * time.Millisecond) // since then nothing is wrong
	for ; at.Before(quiet.Add(event.FlapHold)); at = at.Add(time.Second) {
		if told := l.Tick(at); len(told) > 0 {
			t.Fatalf("over after %v", at.Sub(quiet))
		}
	}
	if told := l.Tick(quiet.Add(event.FlapHold)); len(told) != 1 || told[0].Type != event.TypeClear || len(l.Active()) != 0 {
		t.Errorf("not over: %v", told)
	}
	if _, told := l.Set(at.Add(time.Hour), a, true); !told {
		t.Error("a new alarm is not told")
	}
	if _, told := l.Set(at.Add(time.Hour+time.Second), a, false); !told {
		t.Error("what flapped an hour ago is held still")
	}
}

// What stays wrong for long after it flapped is over as soon as it is.
func TestFlapThenDown(t *testing.T) {
	l := event.New(event.Config{Damp: true})
	a, at := event.InterfaceDown("lte"), start
	for range 5 {
		l.Set(at, a, true)
		at = at.Add(time.Second)
		l.Set(at, a, false)
	}
	l.Set(at, a, true)
	at = at.Add(10 * time.Minute)
	l.Tick(at)
	if _, told := l.Set(at, a, false); !told {
		t.Error("held although nothing flapped for ten minutes")
	}
}

// However many things flap, the memory is bounded.
func TestFlapsOfMany(t *testing.T) {
	l := event.New(event.Config{Events: 16, Alarms: 8, Damp: true})
	for i := range 10000 {
		a := event.InterfaceDown(strings.Repeat("x", i%500))
		l.Set(start, a, true)
		l.Set(start, a, false)
	}
	if s := l.Stats(); s.Events != 16 || s.Alarms > 8 {
		t.Errorf("%+v", s)
	}
}

func TestSetAfter(t *testing.T) {
	a := event.NoServicePath("web")
	type step struct {
		at   time.Duration
		bad  bool
		want string
	}
	for name, steps := range map[string][]step{
		"long":      {{0, true, ""}, {9 * time.Second, true, ""}, {10 * time.Second, true, "add"}, {11 * time.Second, false, "clear"}},
		"short":     {{0, true, ""}, {9 * time.Second, false, ""}, {10 * time.Second, true, ""}, {19 * time.Second, true, ""}, {20 * time.Second, true, "add"}},
		"told once": {{0, true, ""}, {10 * time.Second, true, "add"}, {20 * time.Second, true, ""}},
		"never":     {{0, false, ""}, {time.Hour, false, ""}},
	} {
		l := newLog(8, 8)
		for _, s := range steps {
			r, told := l.SetAfter(start.Add(s.at), a, s.bad, 10*time.Second)
			if got := r.Type; told && got != s.want || !told && s.want != "" {
				t.Errorf("%s at %v: %q, want %q", name, s.at, got, s.want)
			}
		}
	}
}

func TestAbove(t *testing.T) {
	l, a := newLog(8, 8), event.MemoryExceeded()
	for i, s := range []struct {
		value int64
		want  bool
	}{{89, false}, {90, true}, {86, true}, {100, true}, {85, false}, {89, false}} {
		l.Above(start, a, s.value, 90, 85)
		if got := len(l.Active()) == 1; got != s.want {
			t.Errorf("step %d: %d: active %v", i, s.value, got)
		}
	}
	l, a = newLog(8, 8), event.CPUExceeded()
	for i, s := range []struct {
		value int64
		want  bool
	}{{99, false}, {80, false}, {99, false}, {99, false}, {99, true}, {80, true}, {75, false}} {
		l.AboveAfter(start.Add(time.Duration(i)*10*time.Second), a, s.value, 85, 75, 20*time.Second)
		if got := len(l.Active()) == 1; got != s.want {
			t.Errorf("step %d: %d: active %v", i, s.value, got)
		}
	}
}

func TestShelf(t *testing.T) {
	re := regexp.MustCompile
	down := event.InterfaceDown("lte") // interface, critical, of n of router r
	for name, tc := range map[string]struct {
		shelf event.Shelf
		want  bool
	}{
		"nothing asked":     {event.Shelf{}, false},
		"nothing asked any": {event.Shelf{Any: true}, false},
		"category":          {event.Shelf{Category: event.Interface}, true},
		"other category":    {event.Shelf{Category: event.Peer}, false},
		"severity":          {event.Shelf{Severity: event.Critical}, true},
		"all":               {event.Shelf{Category: event.Interface, Severity: event.Minor}, false},
		"any":               {event.Shelf{Category: event.Interface, Severity: event.Minor, Any: true}, true},
		"message":           {event.Shelf{Message: re("operational")}, true},
		"other message":     {event.Shelf{Message: re("^down")}, false},
		"node":              {event.Shelf{Node: re("^n$")}, true},
		"router":            {event.Shelf{Router: re("^R$")}, false},
	} {
		l := event.New(event.Config{Router: "r", Node: "n"})
		tc.shelf.Name = "shelf"
		l.Shelve(false, []event.Shelf{tc.shelf})
		r, _ := l.Raise(start, down)
		if got := r.Shelf == "shelf"; got != tc.want {
			t.Errorf("%s: shelved %v", name, got)
		}
		l.Shelve(true, nil)
		if got := l.Active()[0].Shelf; got != event.ShelfMaintenance {
			t.Errorf("%s: in maintenance %q", name, got)
		}
		l.Shelve(false, nil)
		if got := l.Active()[0].Shelf; got != "" {
			t.Errorf("%s: afterwards %q", name, got)
		}
	}
}

// Every alarm is of a row, says what the row says, and every row has one.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range []event.Alarm{
		event.NoConnectivity("c"), event.CPUExceeded(), event.MemoryExceeded(), event.DiskLow("/data"), event.Unresolved("pool.ntp.org"),
		event.NoTimeServer(), event.Unconfirmed(7), event.ClockOffset("hub1", -2500), event.TrialFailed("2.0", "no <WAN>"),
		event.CrashLoop("router", "signal: killed"), event.Stuck([]string{"router", "lane"}), event.ServiceDown("dhcp-server", "lan"),
		event.InterfaceDown("a"), event.InterfaceAdminDown("a"), event.QuotaUsed("a"), event.QuotaUrgent("a"), event.DHCPUnresolved("a"), event.SubnetOverlap("a", "10.0.0.0/8", "b"),
		event.PPPoEDown("a"), event.PPPoERefused("a"), event.PeerPathDown(event.PeerPath{Peer: "p", Destination: "d", Node: "n", DeviceInterface: "i", Vlan: 4}),
		event.PeerUnreachable("p"), event.BFDNeighborDown("192.0.2.1", "wan"), event.NoServicePath("s"), event.SessionTable(),
		event.Pool("next-hops"), event.Pool("source-nat"), event.Pool("fragments"), event.WaypointPool("p", "i"),
	} {
		name, _, _ := strings.Cut(a.Key, "\x00")
		seen[name] = true
		for _, r := range event.Catalogue {
			if r.Name != name {
				continue
			}
			pattern := regexp.MustCompile(`<[a-z-]+>`).ReplaceAllString(regexp.QuoteMeta(r.Message), ".+")
			if !regexp.MustCompile("^"+pattern+"$").MatchString(a.Message) || a.Category != r.Category || a.Severity != r.Severity || a.Source == "" {
				t.Errorf("%+v is not of %+v", a, r)
			}
		}
	}
	for _, r := range event.Catalogue {
		if !seen[r.Name] {
			t.Errorf("no alarm of row %s", r.Name)
		}
	}
	if got := event.TrialFailed("2.0", "no <WAN>").Message; got != "Trial boot of version 2.0 failed: no <WAN>" {
		t.Errorf("%q", got)
	}
}
