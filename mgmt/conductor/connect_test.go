package conductor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/mgmt/agent"
	"waymark/mgmt/conductor"
	"waymark/mgmt/conductor/command"
	"waymark/mgmt/config/factory"
	"waymark/mgmt/uplink"
)

// realBox is a box with a real agent.
type realBox struct {
	id, run, state string
	log            *waiting
}

// newRealBox starts its agent, which lives as long as the test.
func newRealBox(t *testing.T, id, host string) *realBox {
	t.Helper()
	b := &realBox{id: id, run: t.TempDir(), state: t.TempDir(), log: newWaiting()}
	config, err := factory.Config([]string{"wan0"})
	if err == nil {
		err = os.MkdirAll(filepath.Join(b.state, "config"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(b.state, "config/running.json"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- agent.Run(ctx, agent.Settings{RunDir: b.run, StateDir: b.state, AssetID: id, Conductors: []string{host}, Root: t.TempDir(),
			ConfigFile: filepath.Join(b.state, "config/running.json"), RouterFile: filepath.Join(b.state, "config/router"),
			Log: slog.New(slog.NewTextHandler(b.log, nil))})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// waiting is what was written, for those who wait for a text in it.
type waiting struct {
	mu   sync.Mutex // guards the rest
	text bytes.Buffer
	seen int           // how much of it was expected
	more chan struct{} // closed, and made anew, at every write
}

func newWaiting() *waiting { return &waiting{more: make(chan struct{})} }

func (w *waiting) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.more)
	w.more = make(chan struct{})
	return w.text.Write(p)
}

func (w *waiting) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// expect waits for a text behind what was expected before.
func (w *waiting) expect(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		w.mu.Lock()
		at, more := bytes.Index(w.text.Bytes()[w.seen:], []byte(text)), w.more
		if at >= 0 {
			w.seen += at + len(text)
		}
		w.mu.Unlock()
		if at >= 0 {
			return
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("no %q in\n%s", text, w)
		}
	}
}

// ask runs a command of the conductor's command line, without a terminal.
func ask(t *testing.T, s *conductor.Settings, asJSON bool, words ...string) (string, error) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var out bytes.Buffer
	err = command.Run(t.Context(), s.Dir, words, asJSON, null, &out)
	return out.String(), err
}

// terminal opens a pseudo-terminal of 100 by 30: the person's side and the program's.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(person.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100})
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close(); person.Close() })
	return person, program
}

// Through the command line of a real conductor an operator has the console and the
// logs of a real box, once it is accepted; what the box shows is recorded. Its minion
// comes through the same connection: the conductor's master listens at no port of
// Salt's.
func TestConnectAndLogs(t *testing.T) {
	t.Setenv("SUDO_USER", "ada")
	s := settings(t, shortDir(t), "c1")
	start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
	if info, err := os.Stat(filepath.Join(s.Dir, command.Socket)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may command the conductor: %v, %v", info.Mode(), err)
	}
	b := newRealBox(t, "cpe-0", s.Listen)
	b.log.expect(t, "state=pending")
	for _, words := range [][]string{{"connect", "cpe-0"}, {"logs", "cpe-0"}, {"connect", "nobody"}, {"logs", "nobody", "events.jsonl"}} {
		if out, err := ask(t, s, false, words...); err == nil {
			t.Errorf("%q of a box that is not accepted: %q", words, out)
		}
	}
	if _, err := ask(t, s, false, "asset", "accept", "cpe-0"); err != nil {
		t.Fatal(err)
	}
	b.log.expect(t, "state=accepted")
	b.log.expect(t, "salt=ready")
	b.talks(t, s)
	b.logs(t, s)
}

// talks has somebody use the console at a terminal.
func (b *realBox) talks(t *testing.T, s *conductor.Settings) {
	t.Helper()
	person, program := terminal(t)
	screen, done := newWaiting(), make(chan error, 1)
	go func() { done <- command.Run(t.Context(), s.Dir, []string{"connect", b.id}, false, program, screen) }()
	screen.expect(t, "# ")
	for _, line := range []struct{ types, shows string }{
		{"history", "1  history"},
		{"page off", "ada@waymark# "},
		{"configure", "(configure)# "}, // whoever may command the conductor is admin on the box
		{"exit", "ada@waymark# "},
		{"show config running", "factory"},
		{"exit", "exit"},
	} {
		if _, err := io.WriteString(person, line.types+"\r"); err != nil {
			t.Fatal(err)
		}
		screen.expect(t, line.shows)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the session ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the session does not end:\n%s", screen)
	}
	b.recorded(t, s, screen.String())
	until(t, "events of the session", 2*time.Minute, func() (missing int) {
		out, err := ask(t, s, true, "show", "events", b.id)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Console of ada (admin) opened", "Console of ada (admin) closed"} {
			if strings.Count(out, want) != 1 {
				missing++
			}
		}
		return missing
	})
}

// recorded looks at the one recording: who, how large, and all that was shown.
func (b *realBox) recorded(t *testing.T, s *conductor.Settings, screen string) {
	t.Helper()
	casts, err := filepath.Glob(filepath.Join(s.Dir, "sessions", "*-"+b.id+".cast"))
	if err != nil || len(casts) != 1 {
		t.Fatalf("recordings: %q, %v", casts, err)
	}
	raw, err := os.ReadFile(casts[0])
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(casts[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the recording: %v, %v", info.Mode(), err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	var head struct {
		Version, Width, Height int
		Title                  string
	}
	if err := json.Unmarshal([]byte(lines[0]), &head); err != nil || head.Version != 2 || head.Width != 100 || head.Height != 30 || head.Title != "ada" {
		t.Errorf("head of the recording: %s, %v", lines[0], err)
	}
	shown := ""
	for _, line := range lines[1:] {
		var e [3]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e[1] == "o" {
			shown += e[2].(string)
		}
	}
	if shown != screen {
		t.Errorf("recorded\n%q, shown\n%q", shown, screen)
	}
}

// logs fetches what the box has, and nothing else.
func (b *realBox) logs(t *testing.T, s *conductor.Settings) {
	t.Helper()
	want := strings.Repeat("level=INFO msg=\"a line of the router\"\n", 4000)
	if err := os.MkdirAll(filepath.Join(b.run, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.run, "log/router.log"), []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(b.state, "identity/box.pem"), filepath.Join(b.run, "log/key.log")); err != nil {
		t.Fatal(err)
	}
	out, err := ask(t, s, true, "logs", b.id)
	var list []uplink.Log
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range list {
		names = append(names, l.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"agent-events.jsonl", "log/router.log"}) {
		t.Errorf("logs of the box: %q", names)
	}
	if got, err := ask(t, s, false, "logs", b.id, "log/router.log"); err != nil || got != want {
		t.Errorf("log of the router: %d bytes of %d, %v", len(got), len(want), err)
	}
	for _, name := range []string{"log/key.log", "../identity/box.pem", b.state + "/identity/box.pem", "log/../agent.json", "log/none.log"} {
		if got, err := ask(t, s, false, "logs", b.id, name); err == nil {
			t.Errorf("log %s: %q", name, got)
		}
	}
}
