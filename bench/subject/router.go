// Package subject sets up what is measured: Waymark routers.
package subject

import (
	"errors"
	"fmt"
	"time"

	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/cmd/lab/world"
)

// Ports of the server: which service carries a session.
const (
	ClearPort  = 5201
	SealedPort = 5202 // AES-128-CBC + HMAC-SHA256-128
	GCMPort    = 5203 // AES-256-GCM
)

// GCMGrowth is what AES-256-GCM adds to a packet: tag and counter.
const GCMGrowth = 16 + 8

// Options say how routers run.
type Options struct {
	Lanes     string // bpf or go
	Profile   string // "": cpe
	Transform bool   // TCP in UDP between them
}

// Workers is the -workers of all routers; empty: they decide by themselves.
var Workers string

// Routers are the two Waymark routers of a line.
type Routers struct {
	West, East *world.Router
	line       *field.Line
	start      func(ns string) (*world.Router, error)
}

// Start runs both routers, named after their namespaces, and waits until their
// path is up. how starts their processes: field.RealTime, or bound to a CPU.
func Start(l *field.Line, o Options, how func(func() error) error) (*Routers, error) {
	c, err := authority(l.West, l.East, o.Transform)
	if err != nil {
		return nil, err
	}
	flags := []string{"-lanes", o.Lanes}
	if o.Profile != "" {
		flags = append(flags, "-profile", o.Profile)
	}
	if Workers != "" {
		flags = append(flags, "-workers", Workers)
	}
	r := Routers{line: l}
	r.start = func(ns string) (p *world.Router, err error) {
		err = how(func() error {
			p, err = l.World.StartRouter(ns, ns, c, flags...)
			return err
		})
		return p, err
	}
	if r.East, err = r.start(l.East); err == nil {
		r.West, err = r.start(l.West)
	}
	if err != nil {
		return nil, fmt.Errorf("start routers: %w", err)
	}
	return &r, r.PathUp()
}

// PathUp waits until the path between the routers is up. If it stays down, the error
// has what both say of it.
func (r *Routers) PathUp() error {
	err := r.West.PeersUp(30*time.Second, func(map[string]any) bool { return true })
	if err == nil {
		return nil
	}
	for _, p := range []*world.Router{r.West, r.East} {
		for _, what := range [][]string{{"bfd"}, {"peers", "detail"}} {
			said, asked := p.Show(what...)
			err = errors.Join(err, asked, errors.New(p.Name+": "+said))
		}
	}
	return err
}

// Kill ends each router in turn by SIGKILL and starts it again at once. It
// returns when the second one answers.
func (r *Routers) Kill() error {
	for _, p := range []struct {
		router **world.Router
		ns     string
	}{{&r.West, r.line.West}, {&r.East, r.line.East}} {
		err := (*p.router).Kill()
		if err == nil {
			*p.router, err = r.start(p.ns)
		}
		if err != nil {
			return fmt.Errorf("kill router and start it again: %w", err)
		}
	}
	return nil
}

// Stop ends both routers.
func (r *Routers) Stop() error { return errors.Join(r.West.Stop(), r.East.Stop()) }

// CPU is the CPU time of both processes so far.
func (r *Routers) CPU() (sum time.Duration, err error) {
	for _, p := range []*world.Router{r.West, r.East} {
		t, err := probe.ProcessTime(p.PID())
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}

// Forwarded is how many packets the kernel forwarded for both so far.
func (r *Routers) Forwarded() (sum float64, err error) {
	for _, p := range []*world.Router{r.West, r.East} {
		var rows []struct {
			Metric string  `json:"metric"`
			Value  float64 `json:"value"`
		}
		if err := p.ShowJSON(&rows, "stats"); err != nil {
			return 0, err
		}
		for _, row := range rows {
			if row.Metric == "fast/forwarded-tc" {
				sum += row.Value
			}
		}
	}
	return sum, nil
}

// Use is one row of `show capacity`.
type Use struct {
	Resource string  `json:"resource"`
	Entries  float64 `json:"entries"`
	Capacity float64 `json:"capacity"`
}

// Capacity returns the row of a resource.
func Capacity(r *world.Router, resource string) (Use, error) {
	var rows []Use
	if err := r.ShowJSON(&rows, "capacity"); err != nil {
		return Use{}, err
	}
	for _, row := range rows {
		if row.Resource == resource {
			return row, nil
		}
	}
	return Use{}, fmt.Errorf("read capacity of %s: no row %q", r.Name, resource)
}
