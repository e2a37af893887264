package conductor_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
)

// direct runs a minion that comes to the master's own ports from an address, as
// stock boxes do, until stop is called.
func direct(t *testing.T, address, id string, key *crypt.Private, from string) (states <-chan minion.State, stop func()) {
	t.Helper()
	who, err := salt.NewIdentity(id, key, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	host, port, _ := net.SplitHostPort(address)
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan minion.State, 256)
	m, err := minion.New(minion.Config{Identity: who, Host: host, Port: number, Functions: module.New(&module.Box{}),
		Log: slog.New(slog.DiscardHandler), Pin: &pin{}, Dial: d.DialContext, Grains: func() msgpack.Map { return msgpack.KV("id", id) },
		OnState: func(s minion.State) { told <- s }, Timing: minion.Timing{Accept: 100 * time.Millisecond, AcceptMax: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return told, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// reaches waits for a state of a minion.
func reaches(t *testing.T, states <-chan minion.State, want minion.State) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case s := <-states:
			if s == want {
				return
			}
		case <-limit:
			t.Fatalf("the minion is never %s", want)
		}
	}
}

// Two boxes with one id that have no uplink: the second key is refused, both show
// with their addresses, and an operator chooses.
func TestMinionsOfOneID(t *testing.T) {
	s := settings(t, shortDir(t), "c1")
	c := start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
	commit(t, s, fleetConfig(1))
	first, stop := direct(t, s.Salt, "stock-1", saltKey(t), "127.0.0.2")
	defer stop()
	reaches(t, first, minion.Pending)
	second, stop2 := direct(t, s.Salt, "stock-1", saltKey(t), "127.0.0.3")
	defer stop2()
	reaches(t, second, minion.Rejected)
	var rows []asset.Row
	api(t, s, "GET", "/v1/assets", nil, &rows)
	var row asset.Row
	for _, r := range rows {
		if r.ID == "stock-1" {
			row = r
		}
	}
	if len(row.Keys) != 1 || row.Keys[0].From != "127.0.0.2" || len(row.Duplicates) != 1 || row.Duplicates[0].From != "127.0.0.3" {
		t.Fatalf("claimants: %+v", row)
	}
	if code := api(t, s, "POST", "/v1/assets/stock-1/accept", nil, nil); code != 409 {
		t.Errorf("accepted without a choice: %d", code)
	}
	if code := api(t, s, "POST", "/v1/assets/stock-1/accept?key="+row.Duplicates[0].Finger[:11], nil, nil); code != 200 {
		t.Errorf("not accepted: %d", code)
	}
	reaches(t, second, minion.Ready)
	reaches(t, first, minion.Rejected)
	h := &hostile{T: t, addr: "127.0.0.3", log: c.output}
	if n, text := h.told(); n != 1 || !strings.Contains(text, "another key has this id") {
		t.Errorf("%d kinds are told:\n%s", n, text)
	}
}

// A box without an uplink and its copy: that they take turns shows, and is told once.
func TestMinionsOfOneKey(t *testing.T) {
	s := settings(t, shortDir(t), "c1")
	c := start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
	commit(t, s, fleetConfig(1))
	key := saltKey(t)
	alarms := func() (text string) {
		var rows []registry.AlarmRow
		api(t, s, "GET", "/v1/alarms", nil, &rows)
		for _, r := range rows {
			if strings.Contains(r.Message, "twin") {
				text += r.Severity + ": " + r.Message
			}
		}
		return text
	}
	for i := range 7 {
		if text := alarms(); (text != "") != (i > 5) { // four turns: those after the first of each
			t.Errorf("after %d starts: %q", i, text)
		}
		states, stop := direct(t, s.Salt, "cpe-0", key, []string{"127.0.0.2", "127.0.0.3"}[i%2])
		reaches(t, states, minion.Ready)
		stop()
	}
	if text := alarms(); !strings.HasPrefix(text, "critical: ") || !strings.Contains(text, "127.0.0.2") || !strings.Contains(text, "127.0.0.3") {
		t.Errorf("alarm %q", text)
	}
	if n := strings.Count(c.output(), "two machines have one key"); n != 1 {
		t.Errorf("told %d times:\n%s", n, c.output())
	}
}
