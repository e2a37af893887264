package console_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/box"
	"waymark/mgmt/console"
	"waymark/mgmt/console/cli"
	"waymark/mgmt/console/login"
	"waymark/mgmt/console/tty"
)

var tables = map[string][]string{
	"system": {`{"router":"branch1","node":"node1","status":"running","version":"1.0","uptime":3700,"role":"combo","alarm-count":1,"started":"2026-01-02T03:04:05Z","profile":"cpe","lanes":"bpf, go","pid":17,"no-fast-lane":null,"board":null}`},
	"peers": {`{"peer":"hub1","node":"node1","network-interface":"fiber","destination":"198.51.100.2","status":"up","hostname":null,"path-mtu":1500}`,
		`{"peer":"hub1","node":"node1","network-interface":"lte","destination":"198.51.100.2","status":"down","hostname":null,"path-mtu":null}`},
	"stats": manyRows(120),
}

func manyRows(n int) (rows []string) {
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"metric":"packets/number-%d","node":"node1","value":%d}`, i, i*i))
	}
	return rows
}

var initState = &box.State{Version: "1.2.0", Board: "qemu-x86_64", AssetID: "WM-0001", Started: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
	LastBootReason: "update 1.2.0", Slot: "b", Clock: box.Clock{Source: "ntp", Server: "192.0.2.1", Synced: true},
	RefusedVersion: "1.3.0", RefusedReason: "kernel panicked"}

// serve runs a console and returns its far end and how it ended.
func serve(t *testing.T, o console.Options) (*wire, <-chan error) {
	t.Helper()
	w, ended := newWire(t), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- console.Serve(ctx, w, o) }()
	t.Cleanup(func() { cancel(); w.Close() })
	return w, ended
}

func TestTranscript(t *testing.T) {
	dir := t.TempDir()
	fakeRouter(t, dir, tables)
	if err := box.Write(dir, initState); err != nil {
		t.Fatal(err)
	}
	w, ended := serve(t, console.Options{Run: dir, Level: cli.Admin})
	w.expect("# ")
	for _, step := range []struct{ keys, until string }{
		{"?", "traceroute"}, {"show s\t", "system "}, {"y\t", "show system "}, {"\r", "# "}, {"show pears\r", "# "},
		{"show peers\r", "# "}, {"sh pe det\r", "# "}, {"show stats rows 3\r", "# "}, {"show fib\r", "# "},
		{"log router\r", "# "}, {"page off\r", "# "}, {"ping\r", "# "}, {"reboot\r", "[y/N] "}, {"n\r", "# "},
		{"factory-reset\r", "to go on: "}, {"branch1\r", "# "}, {"help ping\r", "# "}, {"history\r", "# "}, {"exit now\r", "# "},
	} {
		w.typed(step.keys)
		w.expect(step.until)
	}
	w.typed("exit\r")
	if err := <-ended; err != nil {
		t.Errorf("the session ends with %v", err)
	}
	golden(t, "session", strings.ReplaceAll(w.text(), dir, "RUN"))
}

func TestWithoutRouter(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	err := console.Execute(t.Context(), &b, "show peers", console.Options{Run: dir})
	if err == nil || !strings.Contains(err.Error(), "the router is not running") {
		t.Errorf("show peers: %v", err)
	}
	if err := console.Execute(t.Context(), &b, "show system", console.Options{Run: dir}); err == nil {
		t.Error("show system finds something without router and init")
	}
	if err := box.Write(dir, initState); err != nil {
		t.Fatal(err)
	}
	if err := console.Execute(t.Context(), &b, "show system", console.Options{Run: dir}); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"Status: offline", "Slot: b", "Last Boot Reason: update 1.2.0", "Refused Reason: kernel panicked", "Clock: ntp 192.0.2.1"} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestOperatorChangesNothing(t *testing.T) {
	for _, line := range []string{"reboot", "factory-reset"} {
		if err := console.Execute(t.Context(), nil, line, console.Options{Run: t.TempDir()}); !errors.Is(err, cli.ErrLevel) {
			t.Errorf("%s as an operator: %v", line, err)
		}
	}
}

func TestInitIsAsked(t *testing.T) {
	dir := t.TempDir()
	fakeRouter(t, dir, tables)
	asked := make(chan box.Request, 2)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- box.Serve(ctx, dir, func(_ context.Context, r box.Request) (func(), error) { asked <- r; return nil, nil })
	}()
	w, _ := serve(t, console.Options{Run: dir, Level: cli.Admin, Port: "ttyS0"})
	w.expect("node1.branch1# ")
	for _, row := range []struct{ line, answer, does string }{
		{"reboot", "y", box.Reboot}, {"factory-reset", "node1.branch1", box.FactoryReset},
	} {
		for errors.Is(box.Ask(t.Context(), dir, box.Request{Do: "wake"}, nil), box.ErrNoInit) {
		}
		w.typed(row.line + "\r")
		w.expect(map[string]string{"reboot": "[y/N] ", "factory-reset": "to go on: "}[row.line])
		w.typed(row.answer + "\r")
		if got := <-asked; got.Do != row.does || got.Why != "console on ttyS0" {
			t.Errorf("init was asked for %+v", got)
		}
		w.expect("starts again.")
	}
	w.expect("# ")
	w.typed("factory-reset\r")
	w.expect("to go on: ")
	w.typed("\x03")
	w.expect("nothing was done")
	if len(asked) != 0 {
		t.Errorf("an interrupted reset asks for %+v", <-asked)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	dir := t.TempDir()
	fakeRouter(t, dir, tables)
	w, _ := serve(t, console.Options{Run: dir, Height: 10})
	w.expect("> ")
	w.typed("show stats rows 100\r")
	w.expect("--More--")
	w.typed(" ")
	w.expect("number-13")
	w.expect("--More--")
	w.typed("q")
	w.expect("> ")
	if strings.Contains(w.text(), "number-30") {
		t.Error("output goes on behind q")
	}
}

func TestLogin(t *testing.T) {
	dir := t.TempDir()
	fakeRouter(t, dir, tables)
	gate, err := login.Open(filepath.Join(dir, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	second, _ := serve(t, console.Options{Run: dir, Gate: gate, Level: cli.Admin, Port: "ttyS1"})
	second.expect("secret? ")
	second.typed("admin\r")
	second.expect("no secret was made yet")

	w, ended := serve(t, console.Options{Run: dir, Gate: gate, Level: cli.Admin, Port: "ttyS0", ShowSecret: true})
	w.expect("waymark login secret: ")
	w.expect("\r\n")
	_, after, _ := strings.Cut(w.text(), "waymark login secret: ")
	secret, _, _ := strings.Cut(after, "\r")
	w.expect("secret? ")
	w.typed("show system\r")
	w.expect("wrong secret; next try in 1 s")
	w.typed(secret + "\r")
	w.expect("too many wrong secrets: wait for 1 s")
	<-time.After(1100 * time.Millisecond) // what a wrong secret costs
	w.typed(secret + "\r")
	w.expect("admin@node1.branch1# ")
	if strings.Count(w.text(), secret) != 1 {
		t.Error("the secret is shown more than once")
	}
	w.typed("exit\r")
	w.expect("secret? ") // the port is for the next one
	w.typed("\x1b[A\r")  // and has forgotten what this one typed
	second.typed(secret + "\r")
	second.expect("admin@node1.branch1# ")
	w.Close()
	if err := <-ended; !errors.Is(err, tty.ErrHangup) {
		t.Errorf("carrier lost: %v", err)
	}
	if strings.Contains(second.text(), secret) {
		t.Error("another port shows the secret")
	}
}

func TestSessionTimesOut(t *testing.T) {
	dir := t.TempDir()
	gate, err := login.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var secret string
	if err := gate.Mint(func(s string) error { secret = s; return nil }); err != nil {
		t.Fatal(err)
	}
	w, _ := serve(t, console.Options{Run: dir, Gate: gate, Idle: time.Second})
	w.expect("secret? ")
	w.typed(secret + "\r")
	w.expect("operator@waymark> ")
	w.expect("logged out: nobody typed")
	w.expect("secret? ")
}

func TestScript(t *testing.T) {
	dir := t.TempDir()
	fakeRouter(t, dir, tables)
	var b strings.Builder
	err := console.Script(t.Context(), strings.NewReader("# comment\n\nshow stats rows 1\nshow nothing\nshow peers\n"), &b, console.Options{Run: dir})
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: show: unknown") || strings.Contains(b.String(), "hub1") || !strings.Contains(b.String(), "number-0") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
