package agent

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/mgmt/uplink/uplinktest"
	"waymark/net/resolve"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The first source that says something counts; taken away one by one, the next
// one does.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	sum := strings.Repeat("ab", 32)
	s := Settings{Root: dir, StateDir: filepath.Join(dir, "state"), ConfigFile: filepath.Join(dir, "running.json"), RouterFile: filepath.Join(dir, "router"),
		Conductors: []string{"flag.example:931"}}
	write(t, s.RouterFile, "branch1 node1\n")
	write(t, s.ConfigFile, `{"authority":{"conductor-address":["all.example"],"router":[{"name":"hub1","conductor-address":["hub.example"]},{"name":"branch1","conductor-address":["one.example","192.0.2.1"]}]}}`)
	write(t, filepath.Join(s.StateDir, "config", OnboardingFile), `{"mode":"conductor-managed","conductor-hosts":["onboard.example"],"conductor-key":"`+sum+`"}`)
	write(t, filepath.Join(dir, "proc/cmdline"), "quiet waymark.conductor=kernel.example,2001:db8::1 x=y\n")
	wans := &resolve.File{WANs: []resolve.WAN{
		{Interface: "fiber", Domain: "isp.example."},
		{Interface: "lte", Conductors: []string{"dhcp.example", "bad name", "b.example", "c.example"}, ConductorKey: make([]byte, 32), Domain: "lte.example"},
	}}
	for _, row := range []struct {
		drop func()
		want string
	}{
		{func() {}, "flag.example:931/flag/true"},
		{func() { s.Conductors = nil }, "one.example/configuration/true 192.0.2.1/configuration/true"},
		{func() { write(t, s.RouterFile, "other") }, "all.example/configuration/true"},
		{func() { write(t, s.ConfigFile, "{") }, "onboard.example/onboarding file/true/" + sum},
		{func() { os.RemoveAll(s.StateDir) }, "kernel.example/kernel argument/true 2001:db8::1/kernel argument/true"},
		{func() { os.RemoveAll(filepath.Join(dir, "proc")) }, "dhcp.example/DHCP on lte/false/" + strings.Repeat("00", 32) + " b.example/DHCP on lte/false/" + strings.Repeat("00", 32)},
		{func() { wans.WANs[1].Conductors = nil }, "conductor.isp.example/DNS in isp.example/false"},
		{func() { wans = nil }, ""},
	} {
		row.drop()
		var got []string
		for _, p := range s.places(wans) {
			text := fmt.Sprintf("%s/%s/%v", p.Host, p.From, p.Sure)
			if p.Key != nil {
				text += "/" + hex.EncodeToString(p.Key)
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("places %q, want %q", got, row.want)
		}
	}
	for text, want := range map[string]string{`{"mode":"mist-managed","conductor-hosts":["x"]}`: `mode "mist-managed"`,
		`{"conductor-hosts":["x"],"conductor-key":"abc"}`: `conductor-key "abc"`, `[`: "unexpected end", `{"conductor-hosts":["../x","a b"]}`: `["../x" "a b"]`} {
		write(t, filepath.Join(s.StateDir, "config", OnboardingFile), text)
		got, err := s.readOnboarding()
		if len(got) != 0 || len(s.onboarded()) != 0 || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), OnboardingFile) {
			t.Errorf("%s says %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestPins(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	p, err := openPins(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	one, two := uplinktest.Key(t).PublicKey(), uplinktest.Key(t).PublicKey()
	fits := make([]byte, 32)
	check := func(what string, ok bool, err error) {
		t.Helper()
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrHostKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("another fingerprint is told", false, p.check(place{Host: "a", Key: fits}, one))
	check("first use", true, p.check(place{Host: "a"}, one))
	check("the same again", true, p.check(place{Host: "a"}, one))
	check("another key", false, p.check(place{Host: "a", Sure: true}, two))
	check("another host before enrolment", true, p.check(place{Host: "b"}, two))
	if err := p.enrolled("a"); err != nil {
		t.Fatal(err)
	}
	if p, err = openPins(dir, log); err != nil { // it is kept
		t.Fatal(err)
	}
	three := uplinktest.Key(t).PublicKey()
	check("a network names a stranger", false, p.check(place{Host: "evil", From: "DHCP"}, three))
	check("a network names a known key elsewhere", true, p.check(place{Host: "moved", From: "DHCP"}, one))
	check("who set the box up names a new one", true, p.check(place{Host: "new", Sure: true}, three))
	for i := range 50 {
		check("many", true, p.check(place{Host: fmt.Sprint("h", i), Sure: true}, uplinktest.Key(t).PublicKey()))
	}
	if len(p.list) > maxPins || p.check(place{Host: "a"}, two) == nil {
		t.Errorf("%d pins, the enrolled one forgotten or the list endless", len(p.list))
	}
}

func TestBoxKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	log := slog.New(slog.DiscardHandler)
	a, err := boxKey(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	b, err := boxKey(dir, log)
	if err != nil || fingerprint(a) != fingerprint(b) {
		t.Errorf("another key after a restart: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, boxKeyFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	write(t, filepath.Join(dir, boxKeyFile), "damaged")
	if _, err := boxKey(dir, log); err == nil {
		t.Error("a damaged key is replaced")
	}
}

// Only logs of the list can be fetched, whatever a name looks like.
func TestLogs(t *testing.T) {
	run := t.TempDir()
	write(t, filepath.Join(run, "events.jsonl"), "one\n")
	write(t, filepath.Join(run, "log/router.log"), "two\n")
	write(t, filepath.Join(run, "router.sock.json"), "no log")
	write(t, filepath.Join(filepath.Dir(run), "secret.log"), "no")
	if err := os.Symlink(filepath.Join(filepath.Dir(run), "secret.log"), filepath.Join(run, "link.log")); err != nil {
		t.Fatal(err)
	}
	d := &device{a: &uplinks{set: &Settings{RunDir: run}, log: slog.New(slog.DiscardHandler)}}
	list, err := d.Logs()
	if err != nil || len(list) != 2 || list[0].Name != "events.jsonl" || list[1].Name != "log/router.log" {
		t.Errorf("%v, %v", list, err)
	}
	for _, name := range []string{"../secret.log", "/etc/passwd", "log/../../secret.log", "link.log", "router.sock.json", "", ".", "log", "events.jsonl/", "./events.jsonl", "log\\router.log", "events.jsonl\x00"} {
		if f, _, err := d.OpenLog(name); err == nil {
			f.Close()
			t.Errorf("%q can be fetched", name)
		}
	}
	f, info, err := d.OpenLog("log/router.log")
	if err != nil || info.Size != 4 {
		t.Fatalf("%+v, %v", info, err)
	}
	f.Close()
}

// A connection follows the live way out, and the box's addresses.
func TestStays(t *testing.T) {
	at := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	wans := &resolve.File{WANs: []resolve.WAN{{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, {Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.1")}}}}
	for addr, want := range map[string]bool{"192.0.2.1:5": true, "198.51.100.1:5": false, "127.0.0.1:5": true, "203.0.113.99:5": false, "[::ffff:192.0.2.1]:5": true} {
		if got := stays(wans)(at(addr)); got != want {
			t.Errorf("from %s: %v", addr, got)
		}
	}
	if !stays(nil)(at("127.0.0.1:5")) || stays(nil)(at("203.0.113.99:5")) {
		t.Error("without ways out own addresses count")
	}
}
