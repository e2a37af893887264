package dhcpd

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
	"waymark/net/keep"
)

// Leases outlive a process by their file; what the pools do not give any more
// does not.
func TestRestore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.json")
	s := newSim(t)
	a, b := s.lease(alice, nil), s.lease(fixed, nil)
	s.now += 10 * time.Minute
	then := keep.Stamp{Wall: time.Unix(1e9, 0), Boot: "a", Uptime: time.Hour}
	if err := save(file, s.s.Leases(s.now), then); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		now  keep.Stamp
		left time.Duration
	}{
		{"at once", then, 50 * time.Minute},
		{"later", keep.Stamp{Boot: "a", Uptime: time.Hour + 20*time.Minute}, 30 * time.Minute},
		{"rebooted", keep.Stamp{Wall: time.Unix(1e9+600, 0), Boot: "b"}, 40 * time.Minute},
		{"rebooted without a clock", keep.Stamp{Boot: "b"}, 50 * time.Minute},
		{"over", keep.Stamp{Boot: "a", Uptime: 3 * time.Hour}, -70 * time.Minute},
	} {
		list, age, err := load(file, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		n := newSim(t)
		n.now = time.Hour
		n.s.Restore(list, age, n.now)
		l := n.s.Leases(n.now)
		if len(l) != 2 || (l[0].Left-tt.left).Abs() > time.Second && tt.left > 0 || (l[0].State == Leased) != (tt.left > 0) {
			t.Errorf("%s: %+v, want %v left", tt.name, l, tt.left)
		}
		if got := n.lease(alice, nil); got != a {
			t.Errorf("%s: alice had %v, gets %v", tt.name, a, got)
		}
		if got := n.lease(fixed, nil); got != b {
			t.Errorf("%s: the static host had %v, gets %v", tt.name, b, got)
		}
	}
	n := newSim(t)
	n.s.cfg.Pools[0].Start, n.s.cfg.Pools[0].End = ip("192.168.1.100"), ip("192.168.1.110")
	n.s.cfg.Pools[0].Static, n.s.fixed = nil, nil
	list, _, _ := load(file, then)
	if n.s.Restore(list, 0, 0); len(n.s.Leases(0)) != 0 {
		t.Errorf("of other pools: %+v", n.s.Leases(0))
	}
}

func TestFilesThatLie(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.json")
	for name, text := range map[string]string{"cut": `{"at": {`, "no JSON": "x", "huge": strings.Repeat(" ", maxStored+1),
		"MAC": `{"leases":[{"mac":"zz"}]}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if list, _, err := load(file, keep.Now()); err == nil {
			t.Errorf("%s: %+v", name, list)
		}
	}
	if list, _, err := load(file+".none", keep.Now()); list != nil || err != nil {
		t.Errorf("none: %v, %v", list, err)
	}
	s := newSim(t)
	s.s.Restore([]Lease{{Address: ip("10.0.0.1"), Key: []byte("mac x"), State: Leased, Left: time.Hour}, {State: Leased},
		{Address: us, Key: []byte("mac y"), State: Leased, Left: time.Hour},
		{Address: ip("192.168.1.12"), Key: []byte("mac z"), MAC: alice, State: Leased, Left: time.Hour},
		{Address: ip("192.168.1.10"), Key: []byte("mac k"), MAC: alice, State: Leased, Left: time.Hour},
		{Address: ip("192.168.1.11"), Key: []byte("mac k"), MAC: alice, State: Leased, Left: 2 * time.Hour}}, 0, 0)
	want := []Lease{{Address: ip("192.168.1.11"), Key: []byte("mac k"), MAC: alice, State: Leased, Left: 2 * time.Hour}}
	if got := s.s.Leases(0); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Whatever comes: no panic, nothing given twice, nothing beyond the pool, and
// all lists bounded.
func FuzzServer(f *testing.F) {
	f.Add([]byte{0, 1, 0})
	f.Add([]byte{3, 1, 1, 3, 2, 2, 4, 1, 1, 7, 1, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := newSim(t)
		for ; len(steps) >= 3; steps = steps[3:] {
			kind, who, what := steps[0], steps[1], steps[2]
			addr := ip("192.168.1.8")
			for range what & 7 {
				addr = addr.Next()
			}
			m := ask{kind: dhcpv4.MessageType(1 + kind%8), mac: frame.MAC{2, 0, 0, 0, 1, who & 7}}
			if what&8 != 0 {
				m.requested = addr
			}
			if what&16 != 0 {
				m.ciaddr = addr
			}
			if what&32 != 0 {
				m.server = us
			}
			s.send(m)
			if what&64 != 0 && s.s.Deadline() != Never {
				s.now = s.s.Deadline()
				s.s.Tick(s.now)
			}
			if what&128 != 0 {
				s.now += 20 * time.Minute
			}
			s.s.Take()
			for key, b := range s.s.byKey {
				p := s.s.poolOf(b.addr)
				if s.s.byAddr[b.addr] != b || b.key != key || p == nil || s.s.fixed[b.addr] && p.Static[b.mac] != b.addr || len(s.s.byAddr) > 4 {
					t.Fatalf("%+v of %q", b, key)
				}
			}
		}
	})
}
