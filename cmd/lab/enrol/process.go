package enrol

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"waymark/cmd/lab/world"
	"waymark/mgmt/box"
	"waymark/mgmt/config/factory"
)

// Process is a branch of two processes, a router and an agent, in the world's
// namespace. It stands for init too.
type Process struct {
	s     *Scene
	state string // the agent's directory
	stop  context.CancelFunc

	mu     sync.Mutex // guards router
	router *world.Router
}

// StartProcess starts the branch as it comes from the factory: its WAN ports ask
// for addresses, and its agent for a conductor. End ends what stands for init.
func (s *Scene) StartProcess(context.Context) (string, error) {
	p := &Process{s: s, state: s.World.Path("state-branch1")}
	config, err := factory.Config([]string{"wan0", "wan1"})
	if err != nil {
		return "", err
	}
	run, file := s.World.Path("run-branch1"), s.World.Path("factory.json")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return "", fmt.Errorf("write factory configuration: %w", err)
	}
	if p.router, err = s.World.StartRouterFile(factory.Router, world.Branch, file, run); err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() {
		if err := box.Serve(ctx, run, func(context.Context, box.Request) (func(), error) { return nil, p.exchange(run) }); err != nil {
			s.failed(err)
		}
	}()
	s.Branch = p
	err = startAgent(s.World, world.Branch, run, p.state, BranchAsset, "-config", filepath.Join(p.state, "running.json"), "-router-file", filepath.Join(p.state, "router"))
	return "branch: no configuration, DHCP on its WAN ports, asset id " + BranchAsset, err
}

// End ends what stands for init.
func (p *Process) End() { p.stop() }

// Router is what runs now.
func (p *Process) Router() *world.Router {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.router
}

// exchange does what init does: it ends the router and starts the one that the
// delivered configuration names. The agent does not wait for it.
func (p *Process) exchange(run string) error {
	name, err := os.ReadFile(filepath.Join(p.state, "router"))
	if err != nil {
		return err
	}
	router, _, _ := strings.Cut(strings.TrimSpace(string(name)), " ")
	go func() {
		err := p.Router().Stop()
		if err == nil {
			var r *world.Router
			r, err = p.s.World.StartRouterFile(router, world.Branch, filepath.Join(p.state, "running.json"), run)
			p.mu.Lock()
			p.router = r
			p.mu.Unlock()
		}
		if err != nil {
			p.s.failed(err)
		}
	}()
	return nil
}

// ShowJSON implements Branch.
func (p *Process) ShowJSON(_ context.Context, v any, args ...string) error {
	return p.Router().ShowJSON(v, args...)
}

// Plug implements Branch: what the provider's end of a cable is, that is the branch's.
func (p *Process) Plug(_ context.Context, port string, in bool) error {
	isp := map[string]string{"wan0": world.ISPFiber, "wan1": world.ISPLTE}[port]
	return p.s.World.Carrier(isp, "branch", in)
}
