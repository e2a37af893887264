package dhcp4

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
	"waymark/net/keep"
)

// fakeWire is a link with one server that answers at once what it is asked.
type fakeWire struct {
	*sim
	in      chan heard
	hearing []hearing
	asked   []sent
	dead    bool // the server says nothing
}

func (w *fakeWire) received() <-chan heard { return w.in }
func (w *fakeWire) close()                 {}

func (w *fakeWire) listen(h hearing, _ netip.Addr) error {
	if n := len(w.hearing); n == 0 || w.hearing[n-1] != h {
		w.hearing = append(w.hearing, h)
	}
	return nil
}

func (w *fakeWire) send(f []byte) error {
	if w.hearing[len(w.hearing)-1] == deaf {
		return errNoSocket
	}
	if f[13] == 6 {
		return nil
	}
	return w.answer(f[frame.EtherLen+frame.IPLen+frame.UDPLen:], sent{dst: ip("255.255.255.255")}, false)
}

func (w *fakeWire) sendTo(d Datagram) error {
	return w.answer(d.Payload, sent{unicast: true, dst: d.To}, true)
}

func (w *fakeWire) answer(b []byte, s sent, datagram bool) (err error) {
	if s.DHCPv4, err = dhcpv4.FromBytes(b); err != nil {
		return err
	}
	w.asked = append(w.asked, s)
	kind := map[dhcpv4.MessageType]dhcpv4.MessageType{discover: offer, req: ack}[s.MessageType()]
	if w.dead || kind == 0 {
		return nil
	}
	b = w.reply(kind, server1, option(optLeaseTime, u32(100)), func(p *dhcpv4.DHCPv4) { p.TransactionID = s.TransactionID })
	if !datagram { // as a frame from the server's port to ours
		b = udpFrame(hisMAC, server1, b)
		copy(b[frame.EtherLen+frame.IPLen:], []byte{0, 67, 0, 68})
		copy(b[frame.EtherLen+frame.IPLen+6:], []byte{0, 0})
	}
	w.in <- heard{b, datagram}
	return nil
}

// kinds lists the messages asked since the last call, "u" before unicast ones.
func (w *fakeWire) kinds() (list []string) {
	for _, s := range w.asked {
		k := s.MessageType().String()
		if s.unicast {
			k = "u" + k
		}
		list = append(list, k)
	}
	w.asked = nil
	return list
}

// inBubble runs a client on a fake wire with a fake clock.
func inBubble(t *testing.T, file string, test func(c *Client, w *fakeWire, last func() Status)) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t)
		w := &fakeWire{sim: s, in: make(chan heard, 16)}
		var status Status
		cfg := s.m.cfg
		c := NewClient(Options{Interface: "wan1", Config: cfg, File: file, Log: slog.New(slog.DiscardHandler),
			Changed: func(s Status) { status = s }})
		c.wire = w
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		test(c, w, func() Status { synctest.Wait(); return status })
		cancel()
		<-done
	})
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, ok := got.([]string); ok {
		if !slices.Equal(g, want.([]string)) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	} else if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A client lives through lease, renewal, loss of its server, expiry and flap by
// the clock alone.
func TestClientTimers(t *testing.T) {
	inBubble(t, "", func(c *Client, w *fakeWire, last func() Status) {
		time.Sleep(time.Hour)
		want(t, "without link", w.kinds(), []string(nil))
		c.Link(true)
		time.Sleep(2 * time.Second)
		want(t, "state", last().State, Bound)
		want(t, "first lease", w.kinds(), []string{"DISCOVER", "REQUEST"})
		time.Sleep(50 * time.Second)
		want(t, "renewed", last().State, Bound)
		want(t, "renewal", w.kinds(), []string{"uREQUEST"})

		c.Link(true) // it was away
		time.Sleep(time.Second)
		want(t, "state after a flap", last().State, Bound)
		want(t, "flap", w.kinds(), []string{"REQUEST"})

		w.dead = true
		time.Sleep(60 * time.Second)
		want(t, "server gone", last().State, Renewing)
		time.Sleep(30 * time.Second)
		want(t, "server gone", last().State, Rebinding)
		want(t, "asked", w.kinds(), []string{"uREQUEST", "REQUEST"})
		time.Sleep(15 * time.Second)
		if s := last(); s.Lease != nil {
			t.Errorf("the lease is in use after its end: %+v", s)
		}
		w.dead = false
		time.Sleep(70 * time.Second)
		want(t, "server back", last().State, Bound)
		c.Link(false)
		want(t, "link gone", last().State, Down)
		if last().Lease == nil {
			t.Error("a link that goes takes the lease along")
		}
		w.kinds()
		c.Link(true)
		time.Sleep(2 * time.Second)
		w.kinds()
		c.Release()
		want(t, "released", last().State, Released)
		want(t, "released", w.kinds(), []string{"uRELEASE"})
		time.Sleep(time.Hour)
		want(t, "released, later", w.kinds(), []string(nil))
	})
}

// What a client hears: all while it asks, ARP alone with a lease.
func TestClientHears(t *testing.T) {
	inBubble(t, "", func(c *Client, w *fakeWire, last func() Status) {
		c.Link(true)
		time.Sleep(60 * time.Second)
		last()
		got := ""
		for _, h := range w.hearing {
			got += []string{"deaf ", "arp ", "all ", "both "}[h]
		}
		want(t, "hearing", got, "deaf all arp both arp ")
	})
}

// The end of a process releases nothing and keeps the lease; the next one asks
// for it. A lease that was refused is forgotten.
func TestClientRemembers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lease.json")
	inBubble(t, file, func(c *Client, w *fakeWire, last func() Status) {
		c.Link(true)
		time.Sleep(5 * time.Second)
		want(t, "state", last().State, Bound)
		w.kinds()
	})
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("file: %v, %v", info, err)
	}
	inBubble(t, file, func(c *Client, w *fakeWire, last func() Status) {
		c.Link(true)
		time.Sleep(5 * time.Second)
		want(t, "state", last().State, Bound)
		want(t, "second process", w.kinds(), []string{"REQUEST"})
		c.Release()
		last()
	})
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a released lease is kept: %v", err)
	}
	if err := os.WriteFile(file, []byte(`{"lease": {"address": "1`), 0o600); err != nil {
		t.Fatal(err)
	}
	inBubble(t, file, func(c *Client, w *fakeWire, last func() Status) {
		c.Link(true)
		time.Sleep(5 * time.Second)
		want(t, "with a broken file", last().State, Bound)
		want(t, "with a broken file", w.kinds(), []string{"DISCOVER", "REQUEST"})
	})
}

// Clocks that jump, reboots, files of others and files that lie.
func TestStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lease.json")
	cfg := &Config{MAC: ourMAC, ClientID: ourID}
	l := &Lease{Address: prefix("192.0.2.100/24"), Server: server1, Seconds: 3600, T1: 1800, T2: 3150,
		Conductor: Conductor{Hosts: []string{"c.example"}}}
	then := keep.Stamp{Wall: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Boot: "a", Uptime: time.Hour}
	if err := save(file, cfg, l, 5*sec, then); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other, mac := *cfg, *cfg
	other.ClientID, mac.MAC = MACClientID(ourMAC), hisMAC
	for _, tt := range []struct {
		name  string
		cfg   *Config
		now   keep.Stamp
		from  string // text that is replaced
		to    string
		lease bool
		known bool
		age   time.Duration
		fails bool
	}{
		{"same boot", cfg, keep.Stamp{Wall: then.Wall.Add(10 * sec), Boot: "a", Uptime: time.Hour + 10*sec}, "", "", true, true, 15 * sec, false},
		{"same boot, wall clock jumped back", cfg, keep.Stamp{Wall: time.Unix(0, 0), Boot: "a", Uptime: time.Hour + 10*sec}, "", "", true, true, 15 * sec, false},
		{"rebooted", cfg, keep.Stamp{Wall: then.Wall.Add(60 * sec), Boot: "b", Uptime: sec}, "", "", true, true, 65 * sec, false},
		{"rebooted without a clock", cfg, keep.Stamp{Wall: time.Unix(0, 0), Boot: "b", Uptime: sec}, "", "", true, false, 0, false},
		{"another identity", &other, then, "", "", false, false, 0, false},
		{"another device", &mac, then, "", "", false, false, 0, false},
		{"cut", cfg, then, `"mac"`, `"mac`, false, false, 0, true},
		{"multicast address", cfg, then, "192.0.2.100", "224.0.0.1", false, false, 0, true},
		{"no lease time", cfg, then, `"seconds": 3600`, `"seconds": 0`, false, false, 0, true},
		{"T1 behind T2", cfg, then, `"t1": 1800`, `"t1": 3500`, false, false, 0, true},
		{"huge", cfg, then, "c.example", strings.Repeat("x", maxStored), false, false, 0, true},
	} {
		text := good
		if tt.from != "" {
			text = []byte(strings.Replace(string(good), tt.from, tt.to, 1))
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, age, known, err := load(file, tt.cfg, tt.now)
		if (got != nil) != tt.lease || known != tt.known || tt.known && age != tt.age || (err != nil) != tt.fails {
			t.Errorf("%s: got %v, %v, %t, %v", tt.name, got, age, known, err)
		}
		if got != nil && (got.Address != l.Address || got.Conductor.Hosts[0] != "c.example") {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
	if l, _, _, err := load(file+".none", cfg, then); l != nil || err != nil {
		t.Errorf("without file: %v, %v", l, err)
	}
}
