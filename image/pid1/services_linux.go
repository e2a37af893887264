package pid1

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"waymark/image/build"
	"waymark/image/pulse"
	"waymark/image/supervise"
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
)

// planServices lists what is to run. Whoever adds a process adds it here.
func (i *Init) planServices() {
	config, name := i.routerConfig(), strings.Fields(i.routerName())
	s := &service{Service: supervise.New(routerLife, now()), limits: &routerPulse}
	if config == "" || len(name) == 0 {
		i.log.Warn("no configuration: no router")
		s.Disable()
	} else {
		s.argv = []string{"waymark", "router", "-config", config, "-router", name[0], "-run", RunDir, "-set-clock"}
		if len(name) > 1 {
			s.argv = append(s.argv, "-node", name[1])
		}
	}
	i.services = append(i.services, s, i.consoleService(config))
}

// consoleLife is that of the process that serves the serial port. It ends when
// the terminal hangs up or takes nothing any more, which is no fault.
var consoleLife = supervise.Spec{Name: "console", MinUptime: time.Second, Delay: time.Second,
	MaxDelay: 30 * time.Second, Retries: 9, Rest: 5 * time.Minute}

// consoleService is the command line on the board's serial port. A process of
// its own may hang with its terminal and nobody waits for it. Without a data
// partition the login secret is made anew at every boot.
func (i *Init) consoleService(config string) *service {
	s := &service{Service: supervise.New(consoleLife, now())}
	device, identity := filepath.Join("/dev", i.board.Console), i.data.dir("identity")
	if _, err := os.Stat(device); err != nil {
		i.log.Warn("no serial port for a console", "error", err)
		s.Disable()
		return s
	}
	if identity == "" {
		identity = filepath.Join(RunDir, "identity")
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
		return ""
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
		pid, err := launch(s.argv, i.spawn)
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
			i.ask()
		}
		i.saved()
	}
}

// change tells what supervision found.
func (i *Init) change(s *service, c supervise.Change) {
	switch c {
	case supervise.LoopSeen:
		i.alarm(crashLoop(s.State()), true)
	case supervise.LoopOver:
		i.alarm(crashLoop(s.State()), false)
	}
	if c != supervise.Nothing {
		i.saved()
	}
}

// launch starts a process whose words go into the kernel's ring.
func launch(argv []string, spawn func(func())) (pid int, err error) {
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
		Dir: "/", Env: []string{"PATH=/bin:/sbin", "HOME=/"},
		Files: []uintptr{null.Fd(), w.Fd(), w.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		r.Close()
		return 0, err
	}
	spawn(func() { relay(r, argv[1]) })
	return pid, nil
}

// relay copies lines into the kernel's ring until the process, and all that it
// started, are gone.
func relay(r *os.File, who string) {
	defer r.Close()
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	to, in := &ring{f: f, who: who}, bufio.NewReaderSize(r, 4<<10)
	for {
		line, _, err := in.ReadLine() // longer lines come in parts
		if err != nil {
			return
		}
		_, _ = to.Write(line)
	}
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
