// Package enrol is the part of the lab that has a conductor: a box that knows
// nothing but its key finds it, waits, is accepted, gets its configuration, and
// from then on tells what happens. The box is a process or an image in a machine.
// Each step waits for what it is about and says what was seen; the lab shows the
// steps to people, tests take the same.
package enrol

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"waymark/cmd/lab/world"
)

// Where the conductor is, and what the boxes are to it.
const (
	ConductorAddr = "192.0.2.10"
	BranchAsset   = "WM-0001"
	HubAsset      = "WM-1001"

	branchRouter = "branch1"
)

// Branch is the box.
type Branch interface {
	// ShowJSON asks its router as `waymark show ARGS -json` does.
	ShowJSON(ctx context.Context, v any, args ...string) error
	// Plug plugs the cable of a port, or pulls it.
	Plug(ctx context.Context, port string, in bool) error
}

// WAN is the way out that names the conductor, and whose address changes later.
type WAN struct {
	Port      string // of the branch
	ISP       string // namespace of the provider
	Interface string // network-interface of the configuration
	Options   []string
	Ranges    [2][2]string // what the provider gives out at first, then: first and last address
	// Outbound: only the branch can open its provider's NAT, so that the hub knows
	// the new address but has no use for it.
	Outbound bool
}

// LTE is the example's way out by DHCP.
var LTE = WAN{Port: "wan1", ISP: world.ISPLTE, Interface: "lte", Options: world.LTEOptions, Outbound: true,
	Ranges: [2][2]string{world.LTERange, {"100.64.0.50", "100.64.0.59"}}}

// Fiber is the way out that world.AcmeDHCP has by DHCP too.
var Fiber = WAN{Port: "wan0", ISP: world.ISPFiber, Interface: "fiber",
	Ranges: [2][2]string{world.FiberRange, {"203.0.113.50", "203.0.113.50"}}}

// Scene is a world with a conductor, a hub that was set up by hand, and a branch
// that knows nothing. Its steps are taken in order.
type Scene struct {
	World  *world.World
	Config []byte // of the authority
	WAN    WAN
	Branch Branch // from the step on that starts it
	// Follows is how fast the hub must follow to a new address: Hears or Emulated.
	Follows time.Duration

	Hub *world.Router

	data   string // the conductor's
	option string // DHCP option that names it
	dhcp   *world.Proc

	mu  sync.Mutex // guards err
	err error      // what went wrong beside the steps
}

func (s *Scene) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *Scene) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ServeWAN starts the provider's DHCP server, which names the conductor.
func (s *Scene) ServeWAN(context.Context) (figure string, err error) {
	r := s.WAN.Ranges[0]
	if s.dhcp, err = s.World.ServeDHCP(s.WAN.ISP, r, append(s.WAN.Options, s.option)...); err != nil {
		return "", err
	}
	return fmt.Sprintf("dnsmasq gives out %s to %s and, by option 43, the conductor and its key", r[0], r[1]), nil
}

// StartHub starts a hub that was set up by hand, with an agent.
func (s *Scene) StartHub(context.Context) (figure string, err error) {
	if s.Hub, err = s.World.StartRouter("hub1", world.Hub, world.Acme()); err != nil {
		return "", err
	}
	name := s.World.Path("hub1.router")
	if err := os.WriteFile(name, []byte("hub1 node1\n"), 0o644); err != nil {
		return "", fmt.Errorf("write router's name: %w", err)
	}
	err = startAgent(s.World, world.Hub, s.Hub.Run, s.World.Path("state-hub1"), HubAsset,
		"-conductor", ConductorAddr, "-config", s.World.Path("hub1.json"), "-router-file", name)
	return fmt.Sprintf("router answers on its socket, process %d", s.Hub.PID()), err
}

// startAgent starts a box's agent.
func startAgent(w *world.World, ns, run, state, asset string, flags ...string) error {
	bin, err := w.Waymark()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	_, err = w.Start(ns, append([]string{bin, "agent", "-run", run, "-state", state, "-asset-id", asset}, flags...)...)
	return err
}

// Pending waits until both boxes wait for an operator.
func (s *Scene) Pending(ctx context.Context) (string, error) {
	if _, err := s.await(ctx, "pending", BranchAsset, HubAsset); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s found the conductor by DHCP option 43 and waits for an operator, as %s does", BranchAsset, HubAsset), nil
}

// Accept accepts both.
func (s *Scene) Accept(ctx context.Context) (string, error) {
	for _, id := range []string{BranchAsset, HubAsset} {
		if err := s.Conductor(ctx, nil, "asset", "accept", id); err != nil {
			return "", err
		}
	}
	rows, err := s.await(ctx, "connected", BranchAsset, HubAsset)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("conductor asset accept %s: connected from %s", BranchAsset, rows[BranchAsset].Conductors[0].Remote), nil
}

// commit has the conductor commit a configuration; more goes to the command.
func (s *Scene) commit(ctx context.Context, config []byte, more ...string) error {
	file := s.World.Path("authority.json")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := s.Conductor(ctx, nil, "config", "load", file); err != nil {
		return err
	}
	return s.Conductor(ctx, nil, append([]string{"config", "commit"}, more...)...)
}

// Configure commits the authority's configuration on the conductor.
func (s *Scene) Configure(ctx context.Context) (string, error) {
	began := time.Now()
	if err := s.commit(ctx, s.Config); err != nil {
		return "", err
	}
	// What was set up by hand on the hub is not overwritten unless somebody says so.
	if err := s.Conductor(ctx, nil, "asset", "synchronize", HubAsset); err != nil {
		return "", err
	}
	rows, err := s.await(ctx, "running", BranchAsset, HubAsset)
	if err != nil {
		return "", err
	}
	if got := rows[BranchAsset].Router; got != branchRouter {
		return "", fmt.Errorf("the branch is router %q", got)
	}
	return fmt.Sprintf("config commit: the branch is %s, confirmed and running after %.1f s", branchRouter, time.Since(began).Seconds()), nil
}
