package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"waymark/cmd/lab/enrol"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/image/vm"
)

// lab is one run of the program.
type lab struct {
	out     io.Writer
	verbose bool
	keep    bool
	bare    bool // no conductor: the routers are configured from the start

	w           *world.World
	branch, hub *world.Router
	failed      []string // names of the steps that failed
	scene       enrol.Scene

	image string      // folder of a factory image; "": the branch is a process
	box   *vm.Machine // that runs it

	// unwatch ends the watch that closes the world when the lab is interrupted;
	// nil while there is none.
	unwatch func() bool

	// prepare changes the world before the routers start; nil: nothing. Tests
	// put other routers in.
	prepare func(*world.World) error
}

// step is one line of the demonstration. Its figure says what was seen.
type step struct {
	name  string
	limit time.Duration // 0: stepLimit
	run   func(ctx context.Context, l *lab) (figure string, err error)
}

const stepLimit = time.Minute

const picture = `
 client --- branch1 ===fiber=== isp-fiber ======= hub1 --- server 10.20.0.5, 10.20.0.80
             |    \             /      \                           fd00:20::5
 guest ------+     ===lte=== isp-lte    internet 192.0.2.10
                             (NAT)
`

// do runs one step and prints its line.
func (l *lab) do(ctx context.Context, s step) bool {
	limit := s.limit
	if limit == 0 {
		limit = stepLimit
	}
	start := time.Now()
	err := ctx.Err()
	var figure string
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		figure, err = s.run(ctx, l)
	}
	mark := "✓"
	if err != nil {
		mark, figure = "✗", indent(err.Error())
		l.failed = append(l.failed, s.name)
	}
	fmt.Fprintf(l.out, " %s %-11s %s (%.1f s)\n", mark, s.name, figure, time.Since(start).Seconds())
	return err == nil
}

// indent keeps the lines behind the first below the text.
func indent(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n               ")
}

// demonstrate is `lab` without a command.
func (l *lab) demonstrate(ctx context.Context) (err error) {
	begin := time.Now()
	fmt.Fprintln(l.out, "Waymark lab: acme.json, routers branch1 and hub1, real traffic over SVR")
	fmt.Fprint(l.out, picture, "\n")
	defer func() {
		err = errors.Join(err, l.finish())
		fmt.Fprintf(l.out, "\n%s after %.0f s\n", verdict(err), time.Since(begin).Seconds())
	}()
	if err := l.bringUp(ctx); err != nil {
		return err
	}
	steps, last := slices.Concat(mainSteps, managedSteps), slices.Concat([]step{restartWithGuest}, guestSteps)
	switch {
	case l.image != "":
		steps, last = shownByImage, nil
	case l.bare:
		steps = mainSteps
	}
	for _, s := range steps {
		l.do(ctx, s)
	}
	if ctx.Err() == nil {
		l.showAll(ctx)
	}
	for _, s := range last {
		if ctx.Err() == nil {
			l.do(ctx, s)
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if len(l.failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(l.failed, ", "))
	}
	return nil
}

func verdict(err error) string {
	if err != nil {
		return "NOT all well"
	}
	return "all well"
}

// bringUp makes the world and starts routers and servers. Interrupted, it ends
// the world, so that whatever waits for one of its processes returns.
func (l *lab) bringUp(ctx context.Context) error {
	steps := enrolSteps
	switch {
	case l.image != "":
		steps = imageSteps
	case l.bare:
		steps = upSteps
	}
	for _, s := range steps {
		if !l.do(ctx, s) {
			return fmt.Errorf("bring up %s", s.name)
		}
		if s.name == worldStep {
			l.unwatch = context.AfterFunc(ctx, func() { _ = l.w.Close() }) // finish reports its error
		}
	}
	return nil
}

// finish removes the world and looks whether anything of it is left.
func (l *lab) finish() error {
	if p, ok := l.scene.Branch.(*enrol.Process); ok {
		defer p.End()
	}
	if l.box != nil {
		l.box.Close()
	}
	if l.w == nil {
		return nil
	}
	if l.keep && l.branch != nil && l.leave() {
		return nil
	}
	start := time.Now()
	if err := l.w.Close(); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	left, err := world.Leftovers()
	if err != nil {
		return err
	}
	for _, what := range left {
		if strings.Contains(what, l.w.Name) {
			return fmt.Errorf("clean up left %s", what)
		}
	}
	fmt.Fprintf(l.out, " ✓ %-11s no namespace, process or file left (%.1f s)\n", "clean", time.Since(start).Seconds())
	return nil
}

const worldStep = "world"

var upSteps = []step{
	{name: worldStep, run: makeWorld},
	{name: "isp-lte", run: serveLTE},
	{name: "hub1", run: startHub},
	{name: "branch1", run: startBranch},
	{name: "paths", run: pathsUp},
	{name: "servers", run: startServers},
}

func makeWorld(_ context.Context, l *lab) (string, error) {
	o, err := l.options()
	if err != nil {
		return "", err
	}
	if l.w, err = world.New(o); err != nil {
		return "", err
	}
	if l.prepare != nil {
		if err := l.prepare(l.w); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("namespaces %s-*, links up", l.w.Name), nil
}

// serveLTE starts the DHCP server that the branch's LTE port will ask.
func serveLTE(_ context.Context, l *lab) (string, error) {
	p, err := l.w.ServeLTE()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("dnsmasq gives out %s to %s, process %d", world.LTERange[0], world.LTERange[1], p.PID()), nil
}

func startHub(_ context.Context, l *lab) (figure string, err error) {
	l.hub, err = l.w.StartRouter("hub1", world.Hub, world.Acme())
	return started(l.hub), err
}

func startBranch(_ context.Context, l *lab) (figure string, err error) {
	l.branch, err = l.w.StartRouter("branch1", world.Branch, world.Acme())
	return started(l.branch), err
}

func started(r *world.Router) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("router answers on its socket, process %d", r.PID())
}

// pathsUp waits until the branch's paths over both ISPs are up.
func pathsUp(_ context.Context, l *lab) (string, error) {
	every := func(map[string]any) bool { return true }
	if err := l.branch.PeersUp(stepLimit, every); err != nil {
		return "", err
	}
	var rows []map[string]any
	if err := l.branch.ShowJSON(&rows, "peers"); err != nil {
		return "", err
	}
	var paths []string
	for _, r := range rows {
		paths = append(paths, fmt.Sprintf("%v to %v %v", r["network-interface"], r["destination"], r["status"]))
	}
	return strings.Join(paths, ", "), nil
}

// What the servers' pages say. The first may be read by anybody on the way.
const (
	openPage   = "welcome, this page is for everyone to read"
	secretPage = "salaries: Ada 7000, Grace 7200"
	publicPage = "hello from somewhere"
)

func startServers(_ context.Context, l *lab) (string, error) {
	for _, s := range []struct {
		ns   string
		args []string
	}{
		{world.Server, []string{"-web", "10.20.0.5:80,[fd00:20::5]:80", "-sink", "10.20.0.5:5001",
			"-udp", "10.20.0.5:53", "-mark", openPage}},
		{world.Server, []string{"-web", "10.20.0.80:8443", "-mark", secretPage}},
		{world.Internet, []string{"-web", "192.0.2.10:80", "-mark", publicPage}},
	} {
		if _, err := traffic.Serve(l.w, s.ns, s.args...); err != nil {
			return "", err
		}
	}
	return "web, payroll, name service and sink behind hub1; a web server on the internet", nil
}
