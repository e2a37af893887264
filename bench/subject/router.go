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

// Routers are the two Waymark routers of a line.
type Routers struct{ West, East *world.Router }

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
	var r Routers
	err = how(func() error {
		var err error
		if r.East, err = l.World.StartRouter(l.East, l.East, c, flags...); err != nil {
			return err
		}
		r.West, err = l.World.StartRouter(l.West, l.West, c, flags...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start routers: %w", err)
	}
	return &r, r.West.PeersUp(10*time.Second, func(map[string]any) bool { return true })
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
