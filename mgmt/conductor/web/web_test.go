package web

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

const token = "0123456789abcdef"

// newAPI serves a registry with something of everything in it.
func newAPI(t *testing.T) (*API, *httptest.Server) {
	t.Helper()
	a := &API{Registry: &registry.Registry{Store: &store.Memory{}}, Token: token, Log: slog.New(slog.DiscardHandler)}
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	return a, s
}

func acme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../config/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ask returns status and body.
func ask(t *testing.T, s *httptest.Server, method, path, body, token string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, raw
}

// fill has boxes claim, report and move.
func fill(t *testing.T, g *registry.Registry) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []string{"k1", "k2"} {
		_, _, err := g.Claim(t.Context(), asset.Claim{ID: "WM-0001", Channel: asset.Uplink, Finger: k, From: "192.0.2.1", Now: time.Now()})
		must(err)
	}
	_, _, err := g.Claim(t.Context(), asset.Claim{ID: "box/1", Channel: asset.Uplink, Finger: "k", From: "192.0.2.1", Now: time.Now()})
	must(err)
	must(g.Connected(t.Context(), "WM-0001", asset.Live{Conductor: "c1", Remote: "192.0.2.1:1", Since: time.Now()}))
	must(g.TakeEvents(t.Context(), "WM-0001", &uplink.Events{Epoch: strings.Repeat("0", 32), Events: []uplink.Event{
		{Seq: 1, Alarm: 1, Record: event.Record{ID: "n:1", Type: event.TypeAdd, Severity: "major", Time: time.Now()}}}}))
	must(g.TakeAddresses(t.Context(), "WM-0001", &uplink.Addresses{Addresses: []uplink.Address{
		{Router: "branch1", Node: "node1", Interface: "lte", Address: netip.MustParseAddr("100.64.0.7")}}}))
	must(g.TakeEntitlement(t.Context(), "box/1", &uplink.Entitlement{Router: "branch2", Samples: []uplink.Sample{{Start: time.Now(), Seconds: 300, Peak: 1e7}}}))
	must(g.TakeEntitlement(t.Context(), "WM-0001", &uplink.Entitlement{Router: "branch1", Samples: []uplink.Sample{{Start: time.Now(), Seconds: 300, Peak: 1e7}}}))
}

// description is what the test reads of openapi.json.
type description struct {
	Paths map[string]map[string]struct {
		Parameters []struct{ Name, In string }
		Responses  map[string]struct {
			Content map[string]struct{ Schema map[string]any }
		}
	}
}

// What openapi.json says is there is there, answers as it says, and nothing
// without the token.
func TestOpenAPIAndHandlersAgree(t *testing.T) {
	a, s := newAPI(t)
	load(t, s)
	fill(t, a.Registry)
	code, raw := ask(t, s, "GET", "/openapi.json", "", token)
	var d description
	if err := json.Unmarshal(raw, &d); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	want := []string{"GET /v1/assets", "POST /v1/assets/{id}/accept", "GET /v1/config", "PUT /v1/config", "POST /v1/config/commit",
		"GET /v1/alarms", "GET /v1/events", "GET /v1/peers/addresses", "GET /v1/entitlement", "GET /v1/entitlement/{id}"}
	var there []string
	for path, methods := range d.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			there = append(there, name)
			body := ""
			if strings.HasPrefix(name, "PUT") || name == "POST /v1/config/commit" {
				body = acme(t)
			}
			if name == "POST /v1/config/commit" {
				ask(t, s, "PUT", "/v1/config", body, token)
			}
			at := strings.ReplaceAll(path, "{id}", "box%2F1")
			if code, raw := ask(t, s, strings.ToUpper(method), at, body, ""); code != 401 {
				t.Errorf("%s without token: %d %s", name, code, raw)
			}
			code, raw := ask(t, s, strings.ToUpper(method), at, body, token)
			var v any
			if err := json.Unmarshal(raw, &v); code != 200 || err != nil {
				t.Errorf("%s: %d %v %.200s", name, code, err, raw)
				continue
			}
			fits(t, name, op.Responses["200"].Content["application/json"].Schema, v)
			if list, ok := v.([]any); ok && len(list) == 0 {
				t.Errorf("%s: an empty list proves nothing", name)
			}
		}
	}
	for _, w := range want {
		if !slices.Contains(there, w) {
			t.Errorf("%s is not described", w)
		}
	}
	if len(there) != len(routes()) {
		t.Errorf("%d operations described, %d served", len(there), len(routes()))
	}
}

func load(t *testing.T, s *httptest.Server) {
	t.Helper()
	if code, raw := ask(t, s, "PUT", "/v1/config", acme(t), token); code != 200 {
		t.Fatalf("load: %d %s", code, raw)
	}
	if code, raw := ask(t, s, "POST", "/v1/config/commit", "", token); code != 200 {
		t.Fatalf("commit: %d %s", code, raw)
	}
}

// fits holds a value against a schema.
func fits(t *testing.T, at string, schema map[string]any, v any) {
	t.Helper()
	kind, null := schema["type"], false
	if list, ok := kind.([]any); ok {
		kind, null = list[0], true
	}
	ok := v == nil && null
	switch x := v.(type) {
	case map[string]any:
		ok = kind == "object"
		props, closed := schema["properties"].(map[string]any)
		for name, p := range x {
			if sub, known := props[name].(map[string]any); known {
				fits(t, at+" "+name, sub, p)
			} else if closed {
				t.Errorf("%s: %s is not described", at, name)
			}
		}
		for name := range props {
			if _, there := x[name]; !there {
				t.Errorf("%s: %s is missing", at, name)
			}
		}
	case []any:
		ok = kind == "array"
		items, _ := schema["items"].(map[string]any)
		for _, e := range x {
			fits(t, at+"[]", items, e)
		}
	case string:
		ok = kind == "string"
	case bool:
		ok = kind == "boolean"
	case float64:
		ok = kind == "number" || kind == "integer" && x == float64(int64(x))
	}
	if !ok {
		t.Errorf("%s is %v, not %v", at, v, schema["type"])
	}
}

func TestFaultsAreNamed(t *testing.T) {
	_, s := newAPI(t)
	load(t, s)
	tests := []struct {
		method, path, body string
		code               int
		name               string
	}{
		{"GET", "/v1/nothing", "", 404, "unknown-path"},
		{"GET", "/v1/../../etc/passwd", "", 404, "unknown-path"},
		{"DELETE", "/v1/assets", "", 405, "wrong-method"},
		{"GET", "/v1/events?limit=0", "", 400, "wrong-parameter"},
		{"GET", "/v1/events?limti=5", "", 400, "unknown-parameter"},
		{"GET", "/v1/config?candidate=maybe", "", 400, "wrong-parameter"},
		{"GET", "/v1/alarms?shelved=maybe", "", 400, "wrong-parameter"},
		{"GET", "/v1/config?candidate=true", "", 409, "no-candidate"},
		{"POST", "/v1/assets/nobody/accept", "", 404, "unknown-asset"},
		{"POST", "/v1/config/commit", "", 409, "no-candidate"},
		{"POST", "/v1/config/commit?confirm=9", "", 400, "wrong-parameter"},
		{"POST", "/v1/config/commit?confirm=soon", "", 400, "wrong-parameter"},
		{"PUT", "/v1/config", "{", 422, "wrong-configuration"},
		{"PUT", "/v1/config", `{"authority": {"nmae": 1}}`, 422, "wrong-configuration"},
		{"PUT", "/v1/config", "config authority nmae x", 422, "wrong-configuration"},
		{"PUT", "/v1/config", "", 422, "wrong-configuration"},
	}
	for _, tt := range tests {
		code, raw := ask(t, s, tt.method, tt.path, tt.body, token)
		var f struct{ Error Fault }
		if err := json.Unmarshal(raw, &f); err != nil || code != tt.code || f.Error.Name != tt.name || f.Error.Message == "" {
			t.Errorf("%s %s %q: %d %s, want %d %s", tt.method, tt.path, tt.body, code, raw, tt.code, tt.name)
		}
	}
	for _, wrong := range []string{"0123456789abcdeF", "x", token + "0"} {
		if code, _ := ask(t, s, "GET", "/metrics", "", wrong); code != 401 {
			t.Errorf("token %q: %d", wrong, code)
		}
	}
}

func TestMetrics(t *testing.T) {
	a, s := newAPI(t)
	load(t, s)
	fill(t, a.Registry)
	_, raw := ask(t, s, "GET", "/metrics", "", token)
	for _, want := range []string{"# TYPE waymark_assets gauge", `waymark_assets{status="pending"} 1`, "waymark_peer_addresses 1", "waymark_config_version 1"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
}

// A thousand connections without a token keep nobody out, whatever they say, and
// what they say is told once; what the server answers by itself, too.
func TestStrangers(t *testing.T) {
	const request = "GET /v1/assets HTTP/1.1\r\nHost: x\r\n"
	for _, tt := range []struct {
		name, say string
		times     int
		tells     []string
	}{
		{"nothing", "", 1000, []string{`what="half-open connection to the API"`}},
		{"half a request", request, 1000, []string{`what="half-open connection to the API"`}},
		{"no token", request + "\r\n", 1000, []string{`what="half-open connection to the API"`, "what=no-token"}},
		{"an endless header", request + "X: " + strings.Repeat("x", 2*maxHeader), 5, []string{"431 Request Header Fields Too Large"}},
		{"no HTTP", "SSH-2.0-x\r\n\r\n", 5, []string{"400 Bad Request"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, addr := serveAPI(t)
			for range tt.times {
				says(t, addr, tt.say)
			}
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/v1/assets", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			r, err := tr.RoundTrip(req)
			if err != nil || r.StatusCode != 200 {
				t.Fatal(r, err)
			}
			r.Body.Close()
			for _, what := range tt.tells {
				log.await(t, what)
			}
			if n := log.count("refused"); n != len(tt.tells) {
				t.Errorf("told %d times, want %q:\n%s", n, tt.tells, log)
			}
		})
	}
}

// serveAPI serves an empty registry until the test's end; it must end then.
func serveAPI(t *testing.T) (*lines, string) {
	t.Helper()
	log := &lines{}
	a := &API{Registry: &registry.Registry{Store: &store.Memory{}}, Token: token, Log: slog.New(slog.NewTextHandler(log, nil))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- a.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return log, l.Addr().String()
}

// says leaves a connection open after a few words.
func says(t *testing.T, addr, words string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, _ = io.WriteString(c, words) // a closed connection is an answer too
}

// The API ends with its listener, connections or not.
func TestListenerFails(t *testing.T) {
	a := &API{Registry: &registry.Registry{Store: &store.Memory{}}, Token: token, Log: slog.New(slog.DiscardHandler)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- a.Serve(t.Context(), l) }()
	says(t, l.Addr().String(), "GET ")
	l.Close()
	if err := <-done; err == nil {
		t.Error("it serves without a listener")
	}
}

// lines is a log that may be written to from anywhere.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// await waits until something is told.
func (l *lines) await(t *testing.T, word string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); l.count(word) == 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q is told:\n%s", word, l)
		}
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), word)
}
