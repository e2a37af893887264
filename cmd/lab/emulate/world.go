package emulate

import (
	"fmt"
	"os"
	"time"

	"waymark/cmd/lab/world"
)

// Command is the subcommand that runs the emulator; a program that uses Between
// or Switch hands its arguments to Run when it is called so (traffic.Main does).
const Command = "_emulate"

const startLimit = 30 * time.Second

// Between cuts the cable at ns, dev and puts an emulator between its ends. The
// offloads of both ends are switched off: a wire carries frames, not
// super-packets. Stopping the process returned cuts the link.
func Between(w *world.World, ns, dev string, im Impairment) (*world.Proc, error) {
	middle, trunk, port, err := w.SplitCable(ns, dev)
	if err != nil {
		return nil, err
	}
	return start(w, middle, im.args(trunk, []Port{{Dev: port}}))
}

// Switch joins the ports to the trunk, each in its VLAN; all are interfaces of
// namespace ns. Ports of one VLAN do not reach each other.
func Switch(w *world.World, ns, trunk string, ports ...Port) (*world.Proc, error) {
	return start(w, ns, Impairment{}.args(trunk, ports))
}

func start(w *world.World, ns string, args []string) (*world.Proc, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	p, err := w.Start(ns, append([]string{self, Command}, args...)...)
	if err != nil {
		return nil, err
	}
	if err := p.WaitOutput(Ready, startLimit); err != nil {
		_ = p.Stop() // the first error is the one to tell
		return nil, err
	}
	return p, nil
}
