package main

import (
	"context"
	"errors"
	"fmt"

	"waymark/cmd/lab/enrol"
	"waymark/cmd/lab/world"
)

// up brings the network up and leaves it running.
func (l *lab) up(ctx context.Context) error {
	l.keep = true
	err := l.bringUp(ctx)
	if l.w == nil {
		return err // also when one is up already
	}
	if err != nil || !l.leave() {
		return errors.Join(err, ctx.Err(), l.w.Close())
	}
	return nil
}

// leave lets the world live on without us and says how to play with it; false:
// an interrupt came first and the world is going.
func (l *lab) leave() bool {
	if !l.unwatch() {
		return false
	}
	l.printPlay()
	return true
}

const play = `
The network is up. Try:

  ip netns exec %[1]s-client ping 10.20.0.5
  ip netns exec %[1]s-client traceroute -n 10.20.0.5
  ip netns exec %[1]s-client %[4]s _get http://10.20.0.80:8443/
  ip netns exec %[1]s-client %[4]s _put 10.20.0.5:5001 1000000000
  ip netns exec %[1]s-isp-fiber tcpdump -ni branch -A        # what a bystander sees
  ip netns exec %[1]s-branch ip link set wan0 down           # lose the fiber

  %[5]s show peers -run %[2]s
  %[5]s show sessions -run %[2]s
  %[5]s show sessions -run %[3]s                   # the same, seen from the hub
%[7]s
Logs, configurations and run directories are in %[6]s.
make lab-down removes everything.
`

const playConductor = `
  %[1]s -data %[2]s show assets
  %[1]s -data %[2]s show alarms
  %[1]s -data %[2]s connect %[3]s             # the branch's console
`

func (l *lab) printPlay() {
	bin, err := l.w.Waymark()
	if err != nil {
		bin = "waymark"
	}
	managed := ""
	if conductor, err := l.w.Program("conductor"); err == nil && !l.bare {
		managed = fmt.Sprintf(playConductor, conductor, l.scene.Data(), enrol.BranchAsset)
	}
	fmt.Fprintf(l.out, play, l.w.Name, l.branch.Run, l.hub.Run, selfPath(), bin, l.w.Dir, managed)
}

// down removes the kept network.
func (l *lab) down() error {
	found, err := world.Remove(world.LabName)
	if err != nil {
		return fmt.Errorf("remove the lab: %w", err)
	}
	if !found {
		fmt.Fprintln(l.out, "no lab is up")
		return nil
	}
	fmt.Fprintln(l.out, "the lab is down: no namespace, process or file left")
	return nil
}

// leftovers lists what dead worlds left, for the checks of `make test`.
func (l *lab) leftovers() error {
	left, err := world.Leftovers()
	if err != nil {
		return err
	}
	for _, what := range left {
		fmt.Fprintln(l.out, what)
	}
	if len(left) > 0 {
		return fmt.Errorf("%d things left behind", len(left))
	}
	fmt.Fprintln(l.out, "no namespace, process or file of a dead world")
	return nil
}
