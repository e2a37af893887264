package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/near"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/server"
)

// Server answers commands.
type Server struct {
	Registry *registry.Registry
	// Box returns the box that is connected here as an asset, or nil.
	Box  func(asset string) server.Box
	Dir  string // of recordings of sessions on boxes
	Name string // of this conductor
	Log  *slog.Logger
}

// verb is one command.
type verb struct {
	words string // what it begins with
	args  int    // words that must follow; one more may if opt
	opt   bool
	help  string
	do    func(s *Server, ctx context.Context, r *Request, args []string) (any, error)
}

func verbs() []verb {
	return []verb{
		{"show assets", 0, true, "show assets [ID]", (*Server).showAssets},
		{"show alarms shelved", 0, false, "show alarms shelved", func(s *Server, ctx context.Context, _ *Request, _ []string) (any, error) {
			all, err := s.Registry.Alarms(ctx)
			_, hidden := registry.Shelved(all)
			return ShelvedAlarms(hidden), err
		}},
		{"show alarms", 0, false, "show alarms", func(s *Server, ctx context.Context, r *Request, _ []string) (any, error) {
			all, err := s.Registry.Alarms(ctx)
			seen, hidden := registry.Shelved(all)
			if r.JSON {
				return seen, err
			}
			return Alarms{seen, len(hidden)}, err
		}},
		{"show events", 0, true, "show events [ID]", (*Server).showEvents},
		{"show entitlement history", 1, false, "show entitlement history ID", func(s *Server, ctx context.Context, _ *Request, args []string) (any, error) {
			return s.Registry.EntitlementDays(ctx, args[0])
		}},
		{"show entitlement", 0, false, "show entitlement", func(s *Server, ctx context.Context, _ *Request, _ []string) (any, error) {
			return s.Registry.Entitlement(ctx)
		}},
		{"show dynamic-peer-update", 0, false, "show dynamic-peer-update", func(s *Server, ctx context.Context, _ *Request, _ []string) (any, error) {
			return s.Registry.Addresses(ctx)
		}},
		{"show config versions", 0, false, "show config versions", (*Server).showVersions},
		{"asset accept", 1, true, "asset accept ID [KEY]", (*Server).accept},
		{"asset reject", 1, false, "asset reject ID", (*Server).reject},
		{"asset forget", 1, false, "asset forget ID", (*Server).forget},
		{"asset synchronize", 1, false, "asset synchronize ID", (*Server).synchronize},
		{"config load", 1, false, "config load FILE", (*Server).load},
		{"config commit", 0, true, "config commit [SECONDS]", (*Server).commit},
		{"logs", 1, true, "logs ID [NAME]", (*Server).logs},
		{"connect", 1, false, "connect ID", nil}, // has the connection to itself
	}
}

// Usage lists the commands.
func Usage() string {
	var b strings.Builder
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  %s\n", v.help)
	}
	return b.String()
}

// ErrUsage: the words are no command.
var ErrUsage = errors.New("wrong usage")

func find(words []string) (verb, []string, error) {
	for _, v := range verbs() {
		head := strings.Fields(v.words)
		if len(words) < len(head) || !slices.Equal(words[:len(head)], head) {
			continue
		}
		args := words[len(head):]
		if len(args) != v.args && !(v.opt && len(args) == v.args+1) {
			if help := nearest(words); help != v.help { // it has more words
				return v, nil, noCommand(words, help)
			}
			return v, nil, fmt.Errorf("%w: it is %s", ErrUsage, v.help)
		}
		return v, args, nil
	}
	if help := nearest(words); help != "" {
		return verb{}, nil, noCommand(words, help)
	}
	return verb{}, nil, fmt.Errorf("%w: %q is no command; there are:\n%s", ErrUsage, strings.Join(words, " "), strings.TrimRight(Usage(), "\n"))
}

func noCommand(words []string, help string) error {
	return fmt.Errorf("%w: %q is no command; did you mean %q?", ErrUsage, strings.Join(words, " "), help)
}

// nearest is the command that words almost are, "" if none.
func nearest(words []string) string {
	helps := map[string]string{}
	for _, v := range verbs() {
		helps[v.words] = v.help
	}
	for n := min(len(words), 3); n > 0; n-- { // no command has more words
		if meant := near.Word(strings.Join(words[:n], " "), slices.Sorted(maps.Keys(helps))); meant != "" {
			return helps[meant]
		}
	}
	return ""
}

// Listen makes the socket in the data directory, 0600.
func Listen(dir string) (net.Listener, error) {
	path := filepath.Join(dir, Socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	return l, nil
}

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept command: %w", err)
		}
		all.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			s.serve(ctx, c)
		})
	}
}

func (s *Server) serve(ctx context.Context, c net.Conn) {
	in := bufio.NewReader(io.LimitReader(c, maxLine))
	raw, err := in.ReadBytes('\n')
	var r Request
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return // nobody that understands an answer
	}
	end := Output{Done: true}
	if err := s.run(ctx, c, in, &r); err != nil {
		end.Error, end.Usage = err.Error(), errors.Is(err, ErrUsage)
	}
	_, _ = c.Write(line(end)) // whoever asked is gone
}

func (s *Server) run(ctx context.Context, c net.Conn, in *bufio.Reader, r *Request) error {
	v, args, err := find(r.Words)
	if err != nil {
		return err
	}
	if v.do == nil {
		return s.connect(ctx, c, in, r, args[0])
	}
	answer, err := v.do(s, ctx, r, args)
	if err != nil {
		return err
	}
	text, err := render(answer, r.JSON)
	if err != nil {
		return err
	}
	_, err = c.Write(line(Output{Data: text}))
	return err
}

func (s *Server) showAssets(ctx context.Context, _ *Request, args []string) (any, error) {
	rows, err := s.Registry.Rows(ctx)
	if err != nil || len(args) == 0 {
		return rows, err
	}
	rows = slices.DeleteFunc(rows, func(r asset.Row) bool { return r.ID != args[0] })
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: %s", asset.ErrUnknown, args[0])
	}
	return rows, nil
}

func (s *Server) showEvents(ctx context.Context, _ *Request, args []string) (any, error) {
	f := registry.EventFilter{}
	if len(args) > 0 {
		f.Asset = args[0]
	}
	return s.Registry.Events(ctx, f)
}

// Alarms are those that are seen, and how many are not.
type Alarms struct {
	Rows    []registry.AlarmRow
	Shelved int
}

// ShelvedAlarms are those that are hidden.
type ShelvedAlarms []registry.AlarmRow

// VersionRow is one line of `show config versions`.
type VersionRow struct {
	Number int       `json:"version"`
	Time   time.Time `json:"committed-at"`
	By     string    `json:"by"`
	Digest string    `json:"digest"`
}

func (s *Server) showVersions(ctx context.Context, _ *Request, _ []string) (any, error) {
	all, err := s.Registry.Versions(ctx)
	if err != nil {
		return nil, err
	}
	v, err := s.Registry.Running(ctx)
	if v.Number > 0 {
		all = append(all, v)
	}
	rows := []VersionRow{}
	for _, v := range all {
		rows = append(rows, VersionRow{v.Number, v.Time, v.By, v.Digest})
	}
	return rows, err
}

func (s *Server) accept(ctx context.Context, r *Request, args []string) (any, error) {
	key := ""
	if len(args) > 1 {
		key = args[1]
	}
	return s.changed(ctx, args[0], "accepted", s.Registry.Accept(ctx, args[0], key, r.User))
}

func (s *Server) reject(ctx context.Context, r *Request, args []string) (any, error) {
	return s.changed(ctx, args[0], "rejected", s.Registry.Reject(ctx, args[0], r.User))
}

func (s *Server) forget(ctx context.Context, _ *Request, args []string) (any, error) {
	return s.changed(ctx, args[0], "forgotten", s.Registry.Forget(ctx, args[0]))
}

// synchronize lets the committed configuration overwrite what was edited on a box.
func (s *Server) synchronize(ctx context.Context, _ *Request, args []string) (any, error) {
	v, p, err := s.Registry.Wanted(ctx, args[0])
	if err != nil {
		return nil, err
	}
	if p.Router == "" {
		return nil, fmt.Errorf("%w: the configuration does not name %s", asset.ErrUnknown, args[0])
	}
	return s.changed(ctx, args[0], "synchronizing", s.Registry.Change(ctx, args[0], func(a asset.Asset) (asset.Asset, error) {
		if a.ID == "" {
			return a, asset.ErrUnknown
		}
		a.Replace = v.Digest
		return a, nil
	}))
}

// Said is the answer to a command that changed something.
type Said struct {
	Asset string `json:"asset-id,omitempty"`
	What  string `json:"done"`
	// Of a configuration.
	Version  int      `json:"version,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Findings []string `json:"findings,omitempty"`
}

func (s *Server) changed(_ context.Context, id, what string, err error) (any, error) {
	return Said{Asset: id, What: what}, err
}

func (s *Server) load(ctx context.Context, r *Request, _ []string) (any, error) {
	v, finds, err := s.Registry.LoadConfig(ctx, r.File, r.User)
	a := Said{What: "loaded", Digest: v.Digest}
	for _, f := range finds {
		a.Findings = append(a.Findings, f.String())
	}
	return a, err
}

func (s *Server) commit(ctx context.Context, r *Request, args []string) (any, error) {
	confirm := 0
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%w, not %q", registry.ErrConfirm, args[0])
		}
		confirm = n
	}
	v, finds, err := s.Registry.CommitWithin(ctx, "", r.User, confirm)
	a := Said{What: "committed", Version: v.Number, Digest: v.Digest}
	for _, f := range finds {
		a.Findings = append(a.Findings, f.String())
	}
	return a, err
}

// here returns a box that is connected to this conductor.
func (s *Server) here(ctx context.Context, id string) (server.Box, error) {
	if b := s.Box(id); b != nil {
		return b, nil
	}
	live, err := s.Registry.Live(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, l := range live[id] {
		return nil, fmt.Errorf("%s is connected to conductor %s: ask there", id, l.Conductor)
	}
	return nil, fmt.Errorf("%s is not connected", id)
}

// maxLog bounds what `logs` prints of one.
const maxLog = 8 << 20

func (s *Server) logs(ctx context.Context, _ *Request, args []string) (any, error) {
	b, err := s.here(ctx, args[0])
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		return b.Logs(ctx)
	}
	_, body, err := b.Log(ctx, uplink.LogRequest{Name: args[1], Limit: maxLog})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	return text, err
}
