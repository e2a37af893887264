package subject

import (
	"fmt"
	"time"

	"waymark/bench/probe"
)

const (
	sweepTries  = 20
	sweepSettle = 250 * time.Millisecond // more than docs/wire.md 10's 200 ms without an answer
)

// Establish sends every flow through the handshake, slowly, and leaves the tap
// armed once frames of all flows arrive there without metadata: size bytes long.
func Establish(g *probe.Generator, tap *probe.Sink, size, flows int) error {
	var got uint64
	for range sweepTries {
		if err := tap.Arm(0); err != nil {
			return err
		}
		if err := g.Slowly(flows); err != nil {
			return err
		}
		time.Sleep(sweepSettle)
		n, err := bare(g, tap, size, flows)
		if err != nil {
			return err
		}
		if n == uint64(flows) {
			return nil
		}
		got = n
	}
	return fmt.Errorf("establish sessions: %d of %d flows are without metadata", got, flows)
}

// bare sends every flow once into the armed tap and counts frames of exactly
// size bytes: a packet with metadata is longer.
func bare(g *probe.Generator, tap *probe.Sink, size, flows int) (uint64, error) {
	if err := tap.Arm(size); err != nil {
		return 0, err
	}
	before, err := tap.Count()
	if err != nil {
		return 0, err
	}
	if err := g.Slowly(flows); err != nil {
		return 0, err
	}
	time.Sleep(20 * time.Millisecond) // the last burst is on its way
	after, err := tap.Count()
	return after - before, err
}
