package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/minion"
	"waymark/svr/router/ctl"
)

// routerSocket answers `show capacity` as a router does.
func routerSocket(t *testing.T, dir string) {
	t.Helper()
	l, err := ctl.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answerCapacity(c)
		}
	}()
}

func answerCapacity(c net.Conn) {
	defer c.Close()
	var req ctl.Request
	if json.NewDecoder(c).Decode(&req) != nil || req.Show != "capacity" {
		return
	}
	enc := json.NewEncoder(c)
	enc.Encode(ctl.Answer{Row: json.RawMessage(`{"resource":"session-table","entries":3}`)})
	enc.Encode(ctl.Answer{End: &ctl.End{Node: "n", Rows: 1}})
}

// A master of another hand (testdata/master.py) takes the agent through its
// life: pending, accepted, jobs, forged and foreign publications, restart.
func TestIndependentMaster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	py := exec.CommandContext(ctx, "/usr/bin/python3", "testdata/master.py")
	var failure bytes.Buffer
	py.Stderr = &failure
	out, err := py.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := py.Start(); err != nil {
		t.Fatalf("start the independent master: %v (scripts/install.sh test installs what it needs)", err)
	}
	lines := bufio.NewScanner(out)
	var port int
	if !lines.Scan() {
		t.Fatalf("the independent master says nothing: %v %s", py.Wait(), failure.String())
	}
	if _, err := fmt.Sscanf(lines.Text(), "port %d", &port); err != nil {
		t.Fatal(err)
	}
	run, state := t.TempDir(), t.TempDir()
	routerSocket(t, run)
	done := make(chan error, 1)
	agentCtx, stop := context.WithCancel(ctx)
	go func() {
		done <- Run(agentCtx, Settings{
			RunDir: run, StateDir: state, AssetID: "wm-test", Masters: []string{fmt.Sprintf("127.0.0.1:%d", port)},
			Log: slog.New(slog.DiscardHandler), Timing: minion.Timing{Accept: 50 * time.Millisecond, Retry: 50 * time.Millisecond, Reauth: time.Millisecond},
		})
	}()
	held, last := 0, ""
	for lines.Scan() {
		last = lines.Text()
		if strings.HasPrefix(last, "held: ") {
			held++
		}
	}
	if err := py.Wait(); err != nil || last != "all held" || held < 24 {
		t.Errorf("%d things held, then %q: %v\n%s", held, last, err, failure.String())
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	pins, err := filepath.Glob(filepath.Join(state, "identity", "master-127.0.0.1_*.pub"))
	if err != nil || len(pins) != 1 {
		t.Errorf("pinned keys: %v, %v", pins, err)
	}
}

func TestAssetID(t *testing.T) {
	f := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	nic := func(m fstest.MapFS, name, mac, kind string, real bool) {
		m["sys/class/net/"+name+"/address"], m["sys/class/net/"+name+"/type"] = f(mac+"\n"), f(kind+"\n")
		if real {
			m["sys/class/net/"+name+"/device/x"] = f("")
		}
	}
	whole := fstest.MapFS{
		"proc/cmdline": f("quiet waymark.asset-id=from-kernel console=ttyS0\n"), "sys/class/dmi/id/product_serial": f("SN 42\n"),
		"proc/device-tree/serial-number": f("dt-7\x00"),
	}
	nic(whole, "lo", "00:00:00:00:00:00", "772", false)
	nic(whole, "dummy0", "02:00:00:00:00:01", "1", false)
	nic(whole, "eth0", "0a:0b:0c:0d:0e:0f", "1", true)
	for _, tt := range []struct{ told, without, want string }{
		{"told", "", "told"}, {"", "", "from-kernel"}, {"", "proc/cmdline", "SN-42"}, {"", "sys/class/dmi/id/product_serial", "dt-7"},
		{"", "proc/device-tree/serial-number", "wm-0a0b0c0d0e0f"}, {"", "sys/class/net/eth0/address", "wm-020000000001"},
	} {
		delete(whole, tt.without)
		if got, err := assetID(whole, tt.told); got != tt.want || err != nil {
			t.Errorf("without %s: %q, %v, want %q", tt.without, got, err, tt.want)
		}
	}
	if got, err := assetID(fstest.MapFS{}, ""); !errors.Is(err, ErrNoAssetID) {
		t.Errorf("%q, %v", got, err)
	}
	for _, s := range []string{"To Be Filled By O.E.M.", "Default string", "0", "0000-0000", "None", "", "x", "00.00"} {
		if got := serial(s); got != "" {
			t.Errorf("%q is a serial number: %q", s, got)
		}
	}
	if got, err := assetID(fstest.MapFS{"proc/cmdline": f("waymark.asset-id=../../etc")}, ""); err == nil {
		t.Errorf("a path as asset id: %q", got)
	}
}

func TestOwnKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	log := slog.New(slog.DiscardHandler)
	a, err := ownKey(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "salt.pem")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := ownKey(dir, log)
	if err != nil || !a.Public.Equal(&b.Public) {
		t.Errorf("another key after a restart: %v", err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, dir: 0o700 | os.ModeDir} {
		if i, err := os.Stat(name); err != nil || i.Mode() != want {
			t.Errorf("%s: %v, %v", name, i.Mode(), err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left in %s: %v", dir, left)
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ownKey(dir, log); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("a damaged key: %v", err)
	}
	p := pinFile(filepath.Join(dir, "pin"))
	if k, err := p.Load(); k != nil || err != nil {
		t.Error(k, err)
	}
	if err := p.Store(&a.Public); err != nil {
		t.Fatal(err)
	}
	if k, err := p.Load(); err != nil || !a.Public.Equal(k) {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	good := func() Settings {
		return Settings{RunDir: "r", StateDir: "s", Masters: []string{"a", "b:1", "[2001:db8::1]:4506", "192.0.2.1"}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	}
	if s := good(); s.Check() != nil {
		t.Error(s.Check())
	}
	for name, change := range map[string]func(*Settings){
		"no run": func(s *Settings) { s.RunDir = "" }, "no state": func(s *Settings) { s.StateDir = "" },
		"five masters": func(s *Settings) { s.Masters = append(s.Masters, "e") }, "asset id": func(s *Settings) { s.AssetID = "a/b" },
		"keepalive 1s": func(s *Settings) { s.Keepalive = time.Second }, "keepalive 2h": func(s *Settings) { s.Keepalive = 2 * time.Hour },
		"port": func(s *Settings) { s.Masters = []string{"a:70000"} }, "no host": func(s *Settings) { s.Masters = []string{":1"} },
	} {
		s := good()
		change(&s)
		if err := Run(t.Context(), s); !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShowRefusesUnknownTables(t *testing.T) {
	for _, what := range []string{"", "../x", "nothing"} {
		if _, err := show(t.Context(), t.TempDir(), what, false); !errors.Is(err, ctl.ErrUnknown) {
			t.Errorf("%q: %v", what, err)
		}
	}
	if _, err := show(t.Context(), t.TempDir(), "peers", false); !errors.Is(err, ctl.ErrNoRouter) {
		t.Errorf("without a router: %v", err)
	}
}
