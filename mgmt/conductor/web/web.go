// Package web is the conductor's HTTP API: what its command line does, as JSON,
// with a bearer token. openapi.json is made of the same table that the handlers
// are, and of the types they answer with.
package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/config"
	"waymark/mgmt/door"
	"waymark/mgmt/uplink"
)

// API serves.
type API struct {
	Registry *registry.Registry
	Token    string
	Log      *slog.Logger
	// Figures are further metrics: name with labels to value.
	Figures func() map[string]float64

	once    sync.Once // guards the making of refused
	refused *door.Refused
}

// log is where refusals are told.
func (a *API) log() *door.Refused {
	a.once.Do(func() { a.refused = door.NewRefused("http", a.Log) })
	return a.refused
}

// Refused counts refusals by kind since the start.
func (a *API) Refused() map[string]int { return a.log().Counts() }

// refuse answers a fault that the asker is to blame for, and tells it.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, f *Fault) {
	who, _, _ := net.SplitHostPort(r.RemoteAddr)
	a.log().Note(f.Name, who, fmt.Errorf("%s %.80q: %s", r.Method, r.URL.Path, f.Message))
	fail(w, f)
}

// maxBody bounds what a request may bring.
const maxBody = uplink.MaxUnpacked

// route is one operation. Its answer is what do returns, as JSON.
type route struct {
	method, path string
	what         string // for people
	query        []param
	body         string // content type of the body, "" none
	answer       any    // of the type that do returns
	do           func(*API, *http.Request) (any, error)
}

// param is one parameter of a query.
type param struct{ name, kind, what string }

// by is who changes things over HTTP, for the history.
const by = "http"

func routes() []route {
	return []route{
		{method: "GET", path: "/v1/assets", what: "Every box that came or that the configuration names", answer: []asset.Row{},
			do: func(a *API, r *http.Request) (any, error) { return a.Registry.Rows(r.Context()) }},
		{method: "POST", path: "/v1/assets/{id}/accept", what: "Accept a box that waits; with key choose one of two claimants",
			query: []param{{"key", "string", "fingerprint, or its beginning, of the claimant that is meant"}}, answer: asset.Row{}, do: accept},
		{method: "POST", path: "/v1/assets/{id}/reject", what: "Refuse a box from now on", answer: asset.Row{}, do: reject},
		{method: "GET", path: "/v1/config", what: "The configuration of the authority that runs, or its candidate",
			query: []param{{"candidate", "boolean", "the candidate instead"}}, answer: json.RawMessage{}, do: getConfig},
		{method: "PUT", path: "/v1/config", what: "Make a configuration the candidate: JSON or the vendor's text form", body: "application/json",
			answer: Loaded{}, do: putConfig},
		{method: "POST", path: "/v1/config/commit", what: "Make the candidate the running configuration and send it to the boxes",
			query: []param{{"digest", "string", "refuse unless the candidate is this one"},
				{"confirm", "integer", "seconds that a box has to get through with it, 10 to 86400 (60); else it goes back"}},
			answer: Loaded{}, do: commit},
		{method: "GET", path: "/v1/alarms", what: "Active alarms of the boxes and about them, without those that are shelved", answer: []registry.AlarmRow{},
			query: []param{{"shelved", "boolean", "those alone"}}, do: alarms},
		{method: "GET", path: "/v1/events", what: "Events of the boxes, oldest first", answer: []EventRow{},
			query: []param{{"asset", "string", "of one asset alone"}, {"limit", "integer", "the newest, 1 to 100000 (1000)"}}, do: events},
		{method: "GET", path: "/v1/peers/addresses", what: "Addresses that networks gave to routers", answer: []registry.Address{},
			do: func(a *API, r *http.Request) (any, error) { return a.Registry.Addresses(r.Context()) }},
		{method: "GET", path: "/v1/entitlement/{id}", what: "Peak use of one asset by day", answer: []registry.DayRow{},
			do: func(a *API, r *http.Request) (any, error) {
				return a.Registry.EntitlementDays(r.Context(), r.PathValue("id"))
			}},
		{method: "GET", path: "/v1/entitlement", what: "Peak use by router and month", answer: []registry.EntitlementRow{},
			do: func(a *API, r *http.Request) (any, error) { return a.Registry.Entitlement(r.Context()) }},
	}
}

// Loaded is a candidate or what was committed.
type Loaded struct {
	Number   int       `json:"version"` // 0: a candidate
	Digest   string    `json:"digest"`
	Time     time.Time `json:"time"`
	Findings []string  `json:"findings"`
}

func loaded(v registry.Version, f config.Findings) Loaded {
	l := Loaded{v.Number, v.Digest, v.Time, []string{}}
	for _, x := range f {
		l.Findings = append(l.Findings, x.String())
	}
	return l
}

// EventRow is one event as `show events` has it.
type EventRow struct {
	Asset    string    `json:"asset-id"`
	Epoch    string    `json:"epoch"`
	Seq      uint64    `json:"seq"`
	Router   string    `json:"router"`
	Node     string    `json:"node"`
	Type     string    `json:"event-type"`
	Time     time.Time `json:"time"`
	Severity string    `json:"severity"`
	Source   string    `json:"source"`
	Category string    `json:"category"`
	Message  string    `json:"message"`
}

func events(a *API, r *http.Request) (any, error) {
	f := registry.EventFilter{Asset: r.URL.Query().Get("asset")}
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100000 {
			return nil, &Fault{400, "wrong-parameter", fmt.Sprintf("limit %.20q is not within 1 and 100000", text)}
		}
		f.Limit = n
	}
	all, err := a.Registry.Events(r.Context(), f)
	rows := make([]EventRow, 0, len(all))
	for _, e := range all {
		x := &e.Record
		rows = append(rows, EventRow{e.Asset, e.Epoch, e.Seq, x.Router, x.Node, x.Type, x.Time, string(x.Severity), x.Source, string(x.Category), x.Message})
	}
	return rows, err
}

func accept(a *API, r *http.Request) (any, error) {
	id := r.PathValue("id")
	if err := a.Registry.Accept(r.Context(), id, r.URL.Query().Get("key"), by); err != nil {
		return nil, err
	}
	return a.row(r.Context(), id)
}

func reject(a *API, r *http.Request) (any, error) {
	id := r.PathValue("id")
	if err := a.Registry.Reject(r.Context(), id, by); err != nil {
		return nil, err
	}
	return a.row(r.Context(), id)
}

func (a *API) row(ctx context.Context, id string) (any, error) {
	x, err := a.Registry.Asset(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := a.Registry.Place(ctx, id)
	if err != nil {
		return nil, err
	}
	live, err := a.Registry.Live(ctx, id)
	return registry.NewRow(x, p, live[id]), err
}

// alarms lists those that are seen, or those that are hidden.
func alarms(a *API, r *http.Request) (any, error) {
	all, err := a.Registry.Alarms(r.Context())
	seen, hidden := registry.Shelved(all)
	switch text := r.URL.Query().Get("shelved"); text {
	case "", "false":
		return seen, err
	case "true":
		return hidden, err
	default:
		return nil, &Fault{400, "wrong-parameter", fmt.Sprintf("shelved %.20q is neither true nor false", text)}
	}
}

func getConfig(a *API, r *http.Request) (any, error) {
	v, err := a.Registry.Running(r.Context())
	switch text := r.URL.Query().Get("candidate"); text {
	case "", "false":
	case "true":
		found := false
		if v, found, err = a.Registry.Candidate(r.Context()); err == nil && !found {
			err = registry.ErrNoCandidate
		}
	default:
		return nil, &Fault{400, "wrong-parameter", fmt.Sprintf("candidate %.20q is neither true nor false", text)}
	}
	if err != nil {
		return nil, err
	}
	d, err := v.Draft()
	if err != nil {
		return nil, err
	}
	return json.RawMessage(d.JSON()), nil
}

func putConfig(a *API, r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	v, finds, err := a.Registry.LoadConfig(r.Context(), data, by)
	if err != nil {
		return nil, err
	}
	return loaded(v, finds), nil
}

func commit(a *API, r *http.Request) (any, error) {
	confirm, q := 0, r.URL.Query()
	if text := q.Get("confirm"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n == 0 {
			n = -1 // out of range as well
		}
		confirm = n
	}
	v, finds, err := a.Registry.CommitWithin(r.Context(), q.Get("digest"), by, confirm)
	if err != nil {
		return nil, err
	}
	return loaded(v, finds), nil
}

// Fault is an error as a client is told it: {"error": Fault}.
type Fault struct {
	Code    int    `json:"-"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// Error implements error.
func (f *Fault) Error() string { return f.Name + ": " + f.Message }

// faultOf names an error.
func faultOf(err error) *Fault {
	var f *Fault
	var finds *registry.FindingsError
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &finds):
		return &Fault{422, "wrong-configuration", finds.Errors().String()}
	case errors.As(err, &size), errors.Is(err, store.ErrTooLarge), errors.Is(err, uplink.ErrTooLong):
		return &Fault{413, "too-large", err.Error()}
	case errors.Is(err, asset.ErrUnknown):
		return &Fault{404, "unknown-asset", err.Error()}
	case errors.Is(err, asset.ErrChoose):
		return &Fault{409, "two-claimants", err.Error()}
	case errors.Is(err, asset.ErrNoSuchKey):
		return &Fault{409, "unknown-key", err.Error()}
	case errors.Is(err, registry.ErrNoCandidate):
		return &Fault{409, "no-candidate", err.Error()}
	case errors.Is(err, registry.ErrChanged):
		return &Fault{409, "other-candidate", err.Error()}
	case errors.Is(err, registry.ErrConfirm):
		return &Fault{400, "wrong-parameter", err.Error()}
	case errors.Is(err, store.ErrConflict):
		return &Fault{503, "busy", err.Error()}
	case strings.HasPrefix(err.Error(), "read configuration: "):
		return &Fault{422, "wrong-configuration", err.Error()}
	}
	return &Fault{500, "failed", err.Error()}
}

// Handler returns the API.
func (a *API) Handler() http.Handler {
	m := http.NewServeMux()
	for _, r := range routes() {
		m.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) { a.serve(w, req, &r) })
	}
	m.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, openAPI()) })
	m.HandleFunc("GET /metrics", a.metrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.allowed(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			a.refuse(w, r, &Fault{401, "no-token", "the header Authorization: Bearer TOKEN is missing or wrong"})
			return
		}
		known(r)
		if _, pattern := m.Handler(r); pattern == "" {
			a.refuse(w, r, missing(r))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		m.ServeHTTP(w, r)
	})
}

// missing tells an unknown path from a method that it does not have.
func missing(r *http.Request) *Fault {
	for _, x := range routes() {
		if p := http.NewServeMux(); matches(p, x.path, r) {
			return &Fault{405, "wrong-method", r.Method + " is not among the methods of " + x.path}
		}
	}
	return &Fault{404, "unknown-path", fmt.Sprintf("there is no %.100q; /openapi.json tells what there is", r.URL.Path)}
}

func matches(m *http.ServeMux, path string, r *http.Request) bool {
	m.HandleFunc(path, func(http.ResponseWriter, *http.Request) {})
	_, pattern := m.Handler(r)
	return pattern != ""
}

// allowed compares the token without telling by time how much of it was right.
func (a *API) allowed(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.Token))
	return ok && a.Token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func (a *API) serve(w http.ResponseWriter, req *http.Request, r *route) {
	if f := r.unknownQuery(req); f != nil {
		fail(w, f)
		return
	}
	v, err := r.do(a, req)
	if err != nil {
		f := faultOf(err)
		switch {
		case f.Code == http.StatusRequestEntityTooLarge:
			a.refuse(w, req, f)
			return
		case f.Code >= 500:
			a.Log.Error("http: "+req.Method+" "+r.path, "err", err)
		}
		fail(w, f)
		return
	}
	answer(w, 200, v)
}

// unknownQuery refuses parameters that mean nothing: they were meant to.
func (r *route) unknownQuery(req *http.Request) *Fault {
	for name := range req.URL.Query() {
		known := false
		for _, p := range r.query {
			known = known || p.name == name
		}
		if !known {
			return &Fault{400, "unknown-parameter", fmt.Sprintf("%.40q is no parameter of %s", name, r.path)}
		}
	}
	return nil
}

func fail(w http.ResponseWriter, f *Fault) { answer(w, f.Code, map[string]*Fault{"error": f}) }

func answer(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code, b = 500, []byte(`{"error":{"name":"failed","message":"answer cannot be written"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // whoever asked is gone
}
