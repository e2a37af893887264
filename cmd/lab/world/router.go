package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// routerReady bounds the time from a router's start to its first answer.
const routerReady = time.Minute

// Router is a running `waymark router`.
type Router struct {
	*Proc
	Run string // its run directory

	w *World
}

// StartRouter runs router NAME of the configuration in a namespace and returns
// when it answers on its socket. config is the JSON itself. The run directory
// belongs to the name: a second start, after the first has ended, finds what
// the first left there.
func (w *World) StartRouter(name, ns string, config []byte, flags ...string) (*Router, error) {
	bin, err := w.Waymark()
	if err != nil {
		return nil, err
	}
	file := w.Path(name + ".json")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return w.startRouter(bin, name, ns, file, w.Path("run-"+name), flags)
}

// StartRouterFile is StartRouter with a configuration and a run directory that
// are the caller's.
func (w *World) StartRouterFile(name, ns, file, run string, flags ...string) (*Router, error) {
	bin, err := w.Waymark()
	if err != nil {
		return nil, err
	}
	return w.startRouter(bin, name, ns, file, run, flags)
}

func (w *World) startRouter(bin, name, ns, file, run string, flags []string) (*Router, error) {
	if err := os.MkdirAll(run, 0o755); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	argv := append(w.Wrap[:len(w.Wrap):len(w.Wrap)], bin, "router", "-config", file, "-router", name, "-run", run)
	if w.Lanes != "" {
		argv = append(argv, "-lanes", w.Lanes)
	}
	p, err := w.Start(ns, append(argv, flags...)...)
	if err != nil {
		return nil, err
	}
	r := &Router{Proc: p, Run: run, w: w}
	if err := Until(routerReady, "an answer from router "+name, r.answers); err != nil {
		_ = p.Stop() // the first error is the one to tell
		return nil, err
	}
	return r, nil
}

// answers tells whether the router's socket is served; a socket file alone may
// be what a killed router left.
func (r *Router) answers() (bool, error) {
	if r.ended() {
		return false, fmt.Errorf("%w (%v):\n%s", ErrEnded, r.err, r.Output())
	}
	socks, err := filepath.Glob(filepath.Join(r.Run, "*.sock"))
	if err != nil {
		return false, err
	}
	for _, s := range socks {
		c, err := net.Dial("unix", s)
		if err != nil {
			continue
		}
		c.Close()
		_, err = r.Show("system")
		return err == nil, nil
	}
	return false, nil
}

// Show asks the router as `waymark show ARGS` does and returns the printed table.
func (r *Router) Show(args ...string) (string, error) {
	bin, err := r.w.Waymark()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), execLimit)
	defer cancel()
	argv := append([]string{bin, "show"}, args...)
	return r.w.run(ctx, "", append(argv, "-run", r.Run))
}

// ShowJSON asks with -json and decodes the array of objects into v.
func (r *Router) ShowJSON(v any, args ...string) error {
	out, err := r.Show(append(args[:len(args):len(args)], "-json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		return fmt.Errorf("read `show %v -json`: %w\n%s", args, err, out)
	}
	return nil
}

// PeersUp waits until every path of `show peers` that satisfies want is up and
// there is at least one.
func (r *Router) PeersUp(limit time.Duration, want func(row map[string]any) bool) error {
	var rows []map[string]any
	err := Until(limit, "peer paths up", func() (bool, error) {
		if r.ended() {
			return false, fmt.Errorf("%w (%v):\n%s", ErrEnded, r.err, r.Output())
		}
		rows = nil
		if err := r.ShowJSON(&rows, "peers"); err != nil {
			return false, err
		}
		n := 0
		for _, row := range rows {
			if !want(row) {
				continue
			}
			if row["status"] != "up" {
				return false, nil
			}
			n++
		}
		return n > 0, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %v", err, rows)
	}
	return nil
}
