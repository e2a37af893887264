package pid1

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"waymark/board"
	"waymark/image/build"
	"waymark/image/pulse"
	"waymark/image/supervise"
	"waymark/mgmt/config/factory"
	"waymark/mgmt/file"
	"waymark/svr/event"
)

// service is one supervised process; the loop's.
type service struct {
	*supervise.Service
	pid    int
	argv   []string
	limits *pulse.Limits // nil: it owes no progress
}

// The router's life, by data: it may die ten times within short before it counts
// as a crash loop, and the first times it is back at once.
var (
	routerLife = supervise.Spec{Name: "router", MinUptime: time.Minute, Delay: 100 * time.Millisecond,
		MaxDelay: 2 * time.Second, Retries: 9, Rest: 5 * time.Minute}
	routerPulse = pulse.Limits{Start: time.Minute, Silence: 10 * time.Second}
	lanePulse   = pulse.Limits{Start: time.Minute, Silence: 10 * time.Second, Of: routerLife.Name}
)

// The parts of a router that owe progress of their own.
const (
	serviceLane = "service lane"
	fastLane    = "fast lane"
)

// planServices lists what is to run. Whoever adds a process adds it here.
func (i *Init) planServices() {
	s := &service{Service: supervise.New(routerLife, now()), limits: &routerPulse}
	if s.argv = i.routerArgv(); s.argv == nil {
		i.log.Warn("no configuration, and no WAN port to find one: no router")
		s.Disable()
	}
	i.services = append(i.services, s, i.consoleService(i.routerConfig()), i.agentService())
}

// routerArgv is the command line of the router: with the running configuration,
// or that of the factory; nil: it has nothing to do.
func (i *Init) routerArgv() []string {
	config, name := i.routerConfig(), strings.Fields(i.routerName())
	if config == "" || len(name) == 0 {
		var err error
		if config, err = i.factoryConfig(); err != nil {
			i.log.Error("no factory configuration", "error", err)
		}
		name = []string{factory.Router}
	}
	if config == "" {
		return nil
	}
	argv := []string{"waymark", "router", "-config", config, "-router", name[0], "-run", RunDir, "-set-clock"}
	if dir := i.data.dir("state"); dir != "" {
		argv = append(argv, "-state", dir)
	}
	if len(name) > 1 {
		argv = append(argv, "-node", name[1])
	}
	return argv
}

// factoryConfig writes the configuration of a box that has none, and returns
// its file; "" without WAN ports.
func (i *Init) factoryConfig() (string, error) {
	var wans []string
	for _, p := range i.board.Ports {
		if strings.HasPrefix(p.Name, string(board.WAN)) {
			wans = append(wans, p.Name)
		}
	}
	for _, name := range i.board.Spare {
		if strings.HasPrefix(name, string(board.WAN)) {
			wans = append(wans, name)
		}
	}
	if len(wans) == 0 {
		return "", nil
	}
	b, err := factory.Config(wans)
	if err != nil {
		return "", err
	}
	name := filepath.Join(RunDir, "factory.json")
	return name, file.Replace(name, b, 0o644)
}

// configure has the router run with the configuration as it is now.
func (i *Init) configure(why string) {
	s := i.services[0]
	i.log.Info("configuration exchanged", "why", why)
	s.argv = i.routerArgv()
	switch {
	case s.argv == nil:
		s.Disable()
	case !s.Running():
		s.Enable(now())
	}
	if s.pid != 0 {
		_ = syscall.Kill(s.pid, syscall.SIGTERM) // it ends, or has already; then it is started anew
	}
}

// agentLife is that of the process that answers to conductors. Nothing on the box
// waits for it.
var agentLife = supervise.Spec{Name: "agent", MinUptime: time.Minute, Delay: time.Second, MaxDelay: time.Minute,
	Retries: 9, Rest: 5 * time.Minute}

// agentLatest is when the agent starts on a box that does not become healthy, nor
// waits for its first configuration with a WAN that is up, by time since the kernel
// started: somebody may have to mend that from afar.
const agentLatest = 30 * time.Second

// agentService is what finds conductors and obeys them. It starts when the box
// forwards: keys are made then, which costs a small processor seconds.
func (i *Init) agentService() *service {
	state := i.stateDir()
	return &service{Service: supervise.New(agentLife, max(now(), agentLatest)), argv: []string{"waymark", "agent", "-run", RunDir, "-state", state,
		"-config", filepath.Join(state, "config/running.json"), "-router-file", filepath.Join(state, "config/router")}}
}

// stateDir is the state directory of the agent (docs/run-files.md): the data
// partition, or where nothing outlives the boot.
func (i *Init) stateDir() string {
	if i.data == nil {
		return filepath.Join(RunDir, "state")
	}
	return i.data.root
}

// consoleLife is that of the process that serves the serial port. It ends when
// the terminal hangs up or takes nothing any more, which is no fault.
var consoleLife = supervise.Spec{Name: "console", MinUptime: time.Second, Delay: time.Second,
	MaxDelay: 30 * time.Second, Retries: 9, Rest: 5 * time.Minute}

// consoleLatest is how long the console waits for the box to forward: a small
// processor has enough to do until then, and nobody types that fast.
const consoleLatest = 3 * time.Second

// consoleService is the command line on the board's serial port. A process of
// its own may hang with its terminal and nobody waits for it. Without a data
// partition the login secret is made anew at every boot.
func (i *Init) consoleService(config string) *service {
	s := &service{Service: supervise.New(consoleLife, now()+consoleLatest)}
	device, identity := filepath.Join("/dev", i.board.Console), filepath.Join(i.stateDir(), "identity")
	if _, err := os.Stat(device); err != nil {
		i.log.Warn("no serial port for a console", "error", err)
		s.Disable()
		return s
	}
	s.argv = []string{"waymark", "console", "-run", RunDir, "-serial", device, "-identity", identity}
	if config != "" && config == i.dataFile("config/running.json") {
		s.argv = append(s.argv, "-config", config)
	}
	return s
}

// routerConfig is the file of the running configuration: the data partition's,
// else the one that is built in, else "".
func (i *Init) routerConfig() string {
	return firstFile(i.dataFile("config/running.json"), build.Config)
}

// routerName is the router's name, perhaps with the node's behind it.
func (i *Init) routerName() string {
	b, err := os.ReadFile(firstFile(i.dataFile("config/router"), build.Router))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (i *Init) dataFile(name string) string {
	if i.data == nil {
		return filepath.Join(RunDir, "state", name)
	}
	return filepath.Join(i.data.root, name)
}

func firstFile(names ...string) string {
	for _, n := range names {
		if info, err := os.Stat(n); n != "" && err == nil && info.Mode().IsRegular() {
			return n
		}
	}
	return ""
}

// startDue starts what is due.
func (i *Init) startDue() {
	for _, s := range i.services {
		i.change(s, s.Steady(now()))
		if i.ended != nil || !s.Due(now()) {
			continue
		}
		pid, err := launch(s.argv, i.logs.of(s.Name), i.spawn)
		if err != nil {
			i.log.Error("cannot start", "service", s.Name, "error", err)
			i.change(s, s.Ended(now(), err.Error()))
			continue
		}
		s.pid = pid
		s.Started(now())
		i.log.Info("started", "service", s.Name, "pid", pid)
		i.tell(report{"event": "started", "service": s.Name})
		if s.limits != nil {
			i.judge.Expect(s.Name, *s.limits, now())
			i.judge.Expect(serviceLane, lanePulse, now())
			i.ask()
		}
		i.saved()
	}
}

// change tells what supervision found.
func (i *Init) change(s *service, c supervise.Change) {
	switch c {
	case supervise.LoopSeen:
		i.alarm(event.CrashLoop(s.Name, s.State().Last), true)
	case supervise.LoopOver:
		i.alarm(event.CrashLoop(s.Name, s.State().Last), false)
	}
	if c != supervise.Nothing {
		i.saved()
	}
}

// garbage is how much of it a process may keep beside what lives, in percent, unless
// it says otherwise. The runtime's own measure, as much again and 4 MB at least, is
// too much for several processes in 64 MB; most of them allocate little.
const garbage = "25"

// launch starts a process whose words go into its log.
func launch(argv []string, log io.Writer, spawn func(func())) (pid int, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer w.Close()
	pid, err = syscall.ForkExec(build.Program, argv, &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=/bin:/sbin", "HOME=/", "GOGC=" + garbage},
		Files: []uintptr{null.Fd(), w.Fd(), w.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		r.Close()
		return 0, err
	}
	spawn(func() { listen(r, argv[1], log) })
	return pid, nil
}

// reap collects every process that ended: services, and orphans of whoever.
func (i *Init) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, s := range i.services {
			if s.pid == pid {
				i.serviceEnded(s, how(status))
			}
		}
		if i.drilled[pid] != nil {
			i.drilled[pid](how(status))
			delete(i.drilled, pid)
		}
	}
}

func how(s unix.WaitStatus) string {
	switch {
	case s.Signaled():
		return "signal: " + unix.SignalName(s.Signal())
	case s.ExitStatus() == 0:
		return "exit"
	}
	return fmt.Sprintf("exit code %d", s.ExitStatus())
}

func (i *Init) serviceEnded(s *service, how string) {
	s.pid = 0
	if s.limits != nil {
		i.judge.Excuse(s.Name)
		i.progress = progress{fast: i.progress.fast} // the next one begins anew
	}
	i.log.Warn("ended", "service", s.Name, "how", how)
	i.tell(report{"event": "ended", "service": s.Name, "how": how})
	i.change(s, s.Ended(now(), how))
	i.saved()
	if i.ended != nil {
		i.ended.look()
	}
}
