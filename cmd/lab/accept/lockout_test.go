package accept

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/svr/router/ctl"
)

// lockout is a commit that its author would never confirm.
type lockout struct {
	name   string
	change func(authority tree)
	class  string             // that the router says it has
	broken func(s *site) bool // what the commit breaks shows
	works  func(s *site) bool // and is whole again
	live   bool               // sessions go on without a gap: the router does not restart
}

var lockouts = []lockout{
	{"conductor", func(a tree) { a.at("router/branch1")["conductor-address"] = []any{"192.0.2.99"} }, "free",
		func(*site) bool { return true }, func(*site) bool { return true }, true},
	{"dns", func(a tree) {
		a.at("router/branch1")["dns-config"] = []any{tree{"mode": "static", "address": []any{"192.0.2.99"}}}
	}, "free", resolves("192.0.2.99", true), resolves("192.0.2.99", false), true},
	{"wan", func(a tree) {
		a.at("router/branch1/node/node1/device-interface/fiber")["enabled"] = false
	}, "restart", fiber("down"), fiber("up"), false},
}

// resolves tells whether a resolver is used.
func resolves(addr string, want bool) func(*site) bool {
	return func(s *site) bool {
		var rows []map[string]any
		return s.branch.ShowJSON(&rows, "dns") == nil && (len(rows) > 0 && rows[0]["server"] == addr) == want
	}
}

// fiber tells whether the WAN has this state.
func fiber(state string) func(*site) bool {
	return func(s *site) bool {
		var rows []map[string]any
		if s.branch.ShowJSON(&rows, "network-interface") != nil {
			return false
		}
		for _, r := range rows {
			if r["name"] == "fiber" {
				return r["oper-status"] == state
			}
		}
		return false
	}
}

// Nobody locks himself out: what a commit cut, or broke, is back when the time
// to confirm is over, and sessions that can live through it, live.
func TestLockOut(t *testing.T) {
	t.Parallel()
	const within = 12 * time.Second // what a commit broke shows before, on a busy machine too
	s := newSite(t, nil)
	file := s.w.Path("branch1.json")
	st := life.Open(file)
	conn := s.echo()
	defer conn.Close()
	starts := func() int { return strings.Count(s.branch.Output(), `msg="router runs"`) }
	for n, l := range lockouts {
		began := starts()
		before, err := os.ReadFile(file)
		s.must(err)
		d, finds := config.ReadDraft(acmeWith(t, l.change))
		if d == nil {
			t.Fatal(finds)
		}
		committed := time.Now() // before: the time to confirm may begin in the middle of it
		s.must(st.Commit(d, within, "test"))
		done, err := ctl.Reload(context.Background(), s.branch.Run)
		s.must(err)
		if done.Class != l.class {
			t.Errorf("%s: %+v, want %s", l.name, done, l.class)
		}
		s.must(world.Until(patience, l.name+": what the commit breaks", func() (bool, error) { return l.broken(s), nil }))
		s.echoes(conn)
		if _, err := st.Pending(); err == nil {
			s.must(world.Until(patience, "an alarm of the unconfirmed commit", func() (bool, error) {
				return alarmed(s, "Configuration is not confirmed") || starts() > began, nil
			}))
		}
		s.must(world.Until(patience, l.name+": the way back", func() (bool, error) {
			now, err := os.ReadFile(file)
			return err == nil && bytes.Equal(now, before), nil
		}))
		took := time.Since(committed)
		t.Logf("%s: back after %.1f s", l.name, took.Seconds())
		if took < within || took > within+20*time.Second { // a restart and a busy machine included
			t.Errorf("%s: back after %v, want about %v", l.name, took, within)
		}
		s.must(world.Until(patience, l.name+": whole again", func() (bool, error) { return l.works(s), nil }))
		s.must(world.Until(patience, "no alarm", func() (bool, error) { return !alarmed(s, "Configuration is not confirmed"), nil }))
		s.echoes(conn)
		if l.live && starts() != began {
			t.Errorf("%s: the router restarted", l.name)
		}
		got := 0
		err = world.Until(patience, "word of it", func() (bool, error) { // behind the deed
			got = strings.Count(s.branch.Output(), "commit not confirmed in time: undone")
			return got > n, nil
		})
		if err != nil || got != n+1 {
			t.Errorf("%s: undone %d times: %v", l.name, got, err)
		}
	}
}

// alarmed tells whether an alarm with this text is active at the branch.
func alarmed(s *site, text string) bool {
	out, err := s.branch.Show("alarms")
	return err == nil && strings.Contains(out, text)
}

// Maintenance and shelves hide alarms of a live router, and nothing restarts.
func TestShelving(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	file := s.w.Path("branch1.json")
	s.must(s.w.Carrier(world.ISPLTE, "branch", false))
	s.must(world.Until(patience, "an alarm", func() (bool, error) { return alarmed(s, "interface operational down"), nil }))
	take := func(change func(authority tree)) {
		t.Helper()
		s.must(os.WriteFile(file, acmeWith(t, change), 0o644))
		done, err := ctl.Reload(context.Background(), s.branch.Run)
		s.must(err)
		if done.Class != "free" {
			t.Errorf("%+v", done)
		}
	}
	shelved := func(reason string) {
		t.Helper()
		var rows []map[string]any
		s.must(s.branch.ShowJSON(&rows, "alarms", "shelved"))
		found := false
		for _, r := range rows {
			found = found || r["message"] == "interface operational down" && r["reason"] == reason
		}
		if !found || alarmed(s, "interface operational down") {
			t.Errorf("shelved by %q: %v", reason, rows)
		}
	}
	take(func(a tree) { a.at("router/branch1")["maintenance-mode"] = true })
	shelved("maintenance-mode")
	take(func(a tree) {
		a["alarm-shelving"] = tree{"shelf": []any{tree{"name": "links", "category": "interface", "applies-to": []any{tree{"type": "router", "router-name": []any{"branch1"}}}}}}
	})
	shelved("links")
	take(func(a tree) {
		a["alarm-shelving"] = tree{"shelf": []any{tree{"name": "links", "category": "interface", "applies-to": []any{tree{"type": "router", "router-name": []any{"hub1"}}}}}}
	})
	if !alarmed(s, "interface operational down") {
		t.Error("hidden by another router's shelf")
	}
}

// A master of another hand (mgmt/agent/testdata/state.py) changes the
// configuration of a live router through the agent: tests change nothing, what
// is wrong is refused, a commit whose master falls silent comes back.
func TestSaltState(t *testing.T) {
	t.Parallel()
	const within = 10 * time.Second
	s := newSite(t, nil)
	file := s.w.Path("branch1.json")
	bin, err := s.w.Waymark()
	s.must(err)
	script, err := filepath.Abs("../../../mgmt/agent/testdata/state.py")
	s.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	py := exec.CommandContext(ctx, "ip", "netns", "exec", s.w.NS(world.Branch), "/usr/bin/python3", "-u", script, file)
	var failure bytes.Buffer
	py.Stderr = &failure
	out, err := py.StdoutPipe()
	s.must(err)
	stdin, err := py.StdinPipe()
	s.must(err)
	s.must(py.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the master says nothing: %s", failure.String())
	}
	port, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "port "))
	s.must(err)
	p, err := s.w.Start(world.Branch, bin, "agent", "-run", s.branch.Run, "-state", s.w.Path("state"), "-asset-id", "wm-state",
		"-config", file, "-confirm", within.String(), "-salt-master", "127.0.0.1:"+strconv.Itoa(port))
	s.must(err)
	held, all, silent := 0, false, false
	for !silent && lines.Scan() {
		switch text := lines.Text(); {
		case text == "all held":
			all = true
		case text == "silent":
			silent = true
		default:
			held++
		}
	}
	if !all || !silent || held < 12 {
		t.Fatalf("%d things held: %v\n%s\nagent:\n%s", held, py.Wait(), failure.String(), p.Output())
	}
	s.must(world.Until(patience, "the commit that nobody confirms", func() (bool, error) { return described(file) == "lost", nil }))
	s.must(world.Until(patience, "its way back", func() (bool, error) { return described(file) != "lost", nil }))
	s.must(stdin.Close())
	s.must(py.Wait())
	s.up(s.branch, "fiber")
}

// described is the description of branch1 in a file.
func described(file string) string {
	var doc struct {
		Authority struct {
			Router []struct{ Name, Description string }
		}
	}
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &doc) != nil {
		return ""
	}
	for _, r := range doc.Authority.Router {
		if r.Name == "branch1" {
			return r.Description
		}
	}
	return ""
}
