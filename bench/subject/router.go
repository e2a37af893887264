// Package subject sets up what is measured: Waymark routers.
package subject

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"waymark/bench/field"
	"waymark/cmd/lab/world"
)

// TCP ports of the server: which service carries a transfer.
const (
	ClearPort  = 5201
	SealedPort = 5202
)

// Routers are the two Waymark routers of a line.
type Routers struct{ West, East *world.Router }

// Start runs both routers, named after their namespaces, on the service lane and waits until their path is
// up. cpu binds their processes to one CPU; -1: all of them.
func Start(l *field.Line, cpu int) (*Routers, error) {
	c, err := config(l.West, l.East)
	if err != nil {
		return nil, err
	}
	var r Routers
	err = bound(cpu, func() error {
		var err error
		if r.East, err = l.World.StartRouter(l.East, l.East, c, "-lanes", "go"); err != nil {
			return err
		}
		r.West, err = l.World.StartRouter(l.West, l.West, c, "-lanes", "go")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start routers: %w", err)
	}
	return &r, r.West.PeersUp(10*time.Second, func(map[string]any) bool { return true })
}

// bound runs fn on a thread bound to one CPU; processes that it starts inherit
// that.
func bound(cpu int, fn func() error) error {
	if cpu < 0 {
		return fn()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("read affinity: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("bind to CPU %d: %w", cpu, err)
	}
	defer unix.SchedSetaffinity(0, &old)
	return fn()
}
