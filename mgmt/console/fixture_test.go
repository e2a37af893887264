package console_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/svr/router/ctl"
)

var update = flag.Bool("update", false, "write the golden transcripts")

// fakeRouter answers requests from a table of rows, as a router does.
func fakeRouter(t *testing.T, dir string, tables map[string][]string) {
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
			go serveRouter(c, tables)
		}
	}()
}

func serveRouter(c net.Conn, tables map[string][]string) {
	defer c.Close()
	var req ctl.Request
	if json.NewDecoder(c).Decode(&req) != nil {
		return
	}
	w := bufio.NewWriter(c)
	defer w.Flush()
	end := ctl.End{Node: "node1.branch1"}
	rows, ok := tables[req.Show]
	if !ok {
		end.Error = "show " + req.Show + ": not built yet"
	}
	for _, r := range rows {
		w.WriteString(`{"row":` + r + "}\n")
	}
	b, _ := json.Marshal(ctl.Answer{End: &end})
	w.Write(append(b, '\n'))
}

// wire is the far end of a console: somebody types and reads.
type wire struct {
	t    *testing.T
	keys chan []byte
	end  sync.Once
	dead chan struct{}

	news chan struct{} // something was written

	mu   sync.Mutex
	seen strings.Builder
	read int // how far expect has come
}

func newWire(t *testing.T) *wire {
	return &wire{t: t, keys: make(chan []byte, 64), dead: make(chan struct{}), news: make(chan struct{}, 1)}
}

func (w *wire) Read(p []byte) (int, error) {
	select {
	case k := <-w.keys:
		return copy(p, k), nil
	case <-w.dead:
		return 0, io.EOF
	}
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
	return w.seen.Write(p)
}

func (w *wire) Close() error { w.end.Do(func() { close(w.dead) }); return nil }

func (w *wire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

// expect waits for text behind what was expected before.
func (w *wire) expect(text string) {
	w.t.Helper()
	limit := time.After(time.Minute)
	for late := false; !late; {
		all := w.text()
		if i := strings.Index(all[w.read:], text); i >= 0 {
			w.read += i + len(text)
			return
		}
		select {
		case <-w.news:
		case <-limit:
			late = true
		}
	}
	w.t.Fatalf("no %q in %q; all:\n%s", text, w.text()[w.read:], w.text())
}

func (w *wire) typed(text string) { w.keys <- []byte(text) }

// volatile is what differs from run to run.
var volatile = regexp.MustCompile(`\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|\d+\.\d\d seconds|time=\d+\.\d\d|\d+\.\d\d/\d+\.\d\d/\d+\.\d\d ms|\d+\.\d\d ms`)

// escapes are what line editing writes.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// golden compares a transcript with testdata/NAME.txt.
func golden(t *testing.T, name, text string) {
	t.Helper()
	text = strings.ReplaceAll(escapes.ReplaceAllString(text, ""), "\r\n", "\n")
	text = volatile.ReplaceAllString(text, "…")
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("transcript differs from %s (-update writes it):\n%s", file, text)
	}
}
