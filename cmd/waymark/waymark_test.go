package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"waymark/svr/router/ctl"
)

const acme = "../../svr/router/testdata/acme.json"

// waymark runs a command line as main does.
func waymark(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = dispatch(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestMain runs the command itself in the processes that tests start.
func TestMain(m *testing.M) {
	if os.Getenv("WAYMARK_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestLogReaderGone: what serves outlives who reads its messages; a question does not.
func TestLogReaderGone(t *testing.T) {
	for _, row := range []struct {
		command string
		code    int // -1: a signal ended it
	}{{"router", 2}, {"agent", 2}, {"show", -1}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		c := exec.Command(os.Args[0], row.command, "-unknown-flag")
		c.Env = append(os.Environ(), "WAYMARK_TEST_MAIN=1")
		c.Stderr = w
		_ = c.Run() // the code tells
		w.Close()
		if got := c.ProcessState.ExitCode(); got != row.code {
			t.Errorf("%s: %v, want code %d", row.command, c.ProcessState, row.code)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestExitCodes(t *testing.T) {
	example, err := os.ReadFile(acme)
	if err != nil {
		t.Fatal(err)
	}
	wrong := write(t, strings.NewReplacer(`"prefix-length": 24`, `"prefix-length": 240`, `"priority": "ordered"`, `"priority": "sometimes"`).Replace(string(example)))
	cut := write(t, string(example[:len(example)/2]))
	none := t.TempDir()
	for _, row := range []struct {
		args string
		code int
		want string // in stdout or stderr
	}{
		{"", 2, "usage: waymark"},
		{"help", 0, "router"},
		{"fly", 2, `unknown command "fly"`},
		{"check -h", 0, "-config"},
		{"check", 2, "-config is missing"},
		{"check -config " + acme, 2, "-router is missing"},
		{"check -config " + acme + " -router branch1", 0, ""},
		{"check -router branch1 -config " + acme + " -node node1", 0, ""},
		{"check -config " + acme + " -router hub1 extra", 2, `unknown argument "extra"`},
		{"check -config " + acme + " -router nobody", 2, "nobody"},
		{"check -config " + acme + " -router branch1 -node node9", 2, "node9"},
		{"check -config " + none + "/missing.json -router branch1", 2, "missing.json"},
		{"check -config " + wrong + " -router branch1", 2, "240"},
		{"check -config " + wrong + " -router branch1", 2, "sometimes"},
		{"check -config " + cut + " -router branch1", 2, "error"},
		{"router -config " + acme + " -router branch1", 2, "-run is missing"},
		{"router -config " + acme + " -router branch1 -run " + none + " -lanes warp", 2, "auto, go, bpf"},
		{"agent -run " + none + " -state " + none + " -confirm -5s", 2, "-confirm -5s: want up to 24h"},
		{"router -config " + acme + " -router branch1 -run " + none + " -profile big", 2, "cpe, hub, tiny"},
		{"router -config " + acme + " -router branch1 -run " + none + " -drain -5m", 2, "0 to 168h"},
		{"router -config " + acme + " -router branch1 -run " + none + " -workers 99", 2, "0 to 16"},
		{"router -bogus", 2, "bogus"},
		{"agent -h", 0, "-salt-master"},
		{"agent -run " + none, 2, "state directory are needed"},
		{"agent -run " + none + " -state " + none + " -salt-master a -asset-id ../x", 2, "asset id"},
		{"agent -run " + none + " -state " + none + " -salt-master a:0", 2, `master "a:0"`},
		{"agent -run " + none + " -state " + none + " -conductor a,b,c", 2, "at most 2"},
		{"agent -run " + none + " -state " + none + " -salt-master a -keepalive 1s", 2, "keepalive 1s"},
		{"agent -run " + none + " -state " + none + " -salt-master a extra", 2, `unknown argument "extra"`},
		{"show", 2, "show what?"},
		{"show sesions", 2, `did you mean "sessions"?`},
		{"show sesions", 2, "network-interface"},
		{"show peers -run " + none, 1, none},
		{"show -run " + none + " tenant members detail -json", 1, "no router runs there"},
		{"show peers -run " + none + "/missing", 1, "no router runs there"},
		{"show entitlement -run " + none, 1, "no router runs there"},
		{"update", 2, "update from which file?"},
		{"update a b", 2, "update from which file?"},
		{"update " + none + "/missing.wmb", 1, "missing.wmb"},
		{"update -", 1, "no box"},
		{"install", 2, "on which disk?"},
		{"install " + none + "/disk", 1, "no box"},
		{"show security key-status -run " + none, 1, "no router runs there"},
	} {
		code, stdout, stderr := waymark(strings.Fields(row.args)...)
		if code != row.code || !strings.Contains(stdout+stderr, row.want) {
			t.Errorf("waymark %s: exit code %d, want %d and %q\n%s%s", row.args, code, row.code, row.want, stdout, stderr)
		}
	}
	if left, _ := os.ReadDir(none); len(left) != 0 {
		t.Errorf("refused routers left %v", left)
	}
}

// answer serves one table on a control socket.
func answer(t *testing.T, rows ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ctl.Socket))
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
			var req ctl.Request
			if json.NewDecoder(c).Decode(&req) == nil {
				for _, r := range rows {
					_, _ = c.Write([]byte(`{"row":` + r + "}\n"))
				}
				_, _ = c.Write([]byte(`{"end":{"node":"node1.r"}}` + "\n"))
			}
			c.Close()
		}
	}()
	return dir
}

func TestShowForms(t *testing.T) {
	dir := answer(t, `{"metric":"packets/forwarded","node":"node1","value":12}`, `{"metric":"x","node":"node1","value":null}`)
	code, text, _ := waymark("show", "stats", "-run", dir)
	if code != 0 || !strings.Contains(text, " packets/forwarded  node1     12\n") || !strings.Contains(text, " x                  node1      -\n") {
		t.Errorf("exit code %d\n%s", code, text)
	}
	var rows []map[string]any
	code, text, _ = waymark("show", "-json", "stats", "-run", dir)
	if err := json.Unmarshal([]byte(text), &rows); err != nil || code != 0 || len(rows) != 2 || rows[0]["value"] != 12.0 || rows[1]["value"] != nil {
		t.Errorf("exit code %d, %v\n%s", code, err, text)
	}
	if code, text, _ = waymark("show", "sessions", "-json", "-run", answer(t)); code != 0 || text != "[]\n" {
		t.Errorf("no rows: exit code %d, %q", code, text)
	}
}

// Every process of a box is this program: what its packages do before main, every
// process pays for, in memory and in time to the first packet.
func TestStartIsCheap(t *testing.T) {
	const most = 128 << 10 // bytes of one package
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	trace, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, trace)
	}
	seen := 0
	for line := range strings.Lines(string(trace)) {
		f := strings.Fields(line) // init PACKAGE @TIME ms, TIME ms clock, BYTES bytes, N allocs
		if len(f) < 9 || f[0] != "init" || f[8] != "bytes," {
			continue
		}
		seen++
		if n, err := strconv.Atoi(f[7]); err != nil || n > most {
			t.Errorf("package %s takes %s bytes before main, at most %d: make them when they are needed", f[1], f[7], most)
		}
	}
	if seen < 10 {
		t.Errorf("the runtime told of %d packages", seen)
	}
}
