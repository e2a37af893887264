package bundle

import (
	"errors"
	"fmt"
)

// Why a box refuses a bundle that is whole and properly signed.
var (
	ErrBoard   = errors.New("the bundle is for another board")
	ErrOlder   = errors.New("the bundle is older than what this box has run")
	ErrRefused = errors.New("this version has failed its trial here")
)

// Box is what a box knows of itself when it is offered a bundle.
type Box struct {
	Board          string
	Floor          uint64 // the highest counter that was committed here
	RefusedVersion string // the version whose trial failed last, "" for none
	RefusedCounter uint64 // and its counter
	RefusedReason  string // and why it failed
}

// Accept tells whether the box may try the bundle. A version that failed is
// taken again only under a higher counter: then somebody has built it anew.
func (b Box) Accept(m *Manifest) error {
	switch {
	case m.Board != b.Board:
		return fmt.Errorf("%w: it is for %s, this is %s", ErrBoard, m.Board, b.Board)
	case m.Counter < b.Floor:
		return fmt.Errorf("%w: its counter is %d, ours %d", ErrOlder, m.Counter, b.Floor)
	case b.RefusedVersion != "" && m.Version == b.RefusedVersion && m.Counter <= b.RefusedCounter:
		return fmt.Errorf("%w: %s: %s", ErrRefused, m.Version, b.RefusedReason)
	}
	return nil
}
