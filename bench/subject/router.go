// Package subject sets up what is measured: Waymark routers.
package subject

import (
	"fmt"
	"time"

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

// Start runs both routers, named after their namespaces, on the service lane
// and waits until their path is up. how starts their processes: field.RealTime,
// or bound to a CPU.
func Start(l *field.Line, how func(func() error) error) (*Routers, error) {
	c, err := config(l.West, l.East)
	if err != nil {
		return nil, err
	}
	var r Routers
	err = how(func() error {
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
