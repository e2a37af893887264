package world

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	stopSignal = syscall.SIGTERM
	stopGrace  = 20 * time.Second // from SIGTERM to SIGKILL: a busy machine has time for an orderly end
)

// Proc is a process of the world in a process group of its own. Its standard
// output and error go to one log file, so it may outlive the one who started it.
type Proc struct {
	Name string
	Log  string // path of the log file

	cmd   *exec.Cmd
	start uint64 // start time as /proc tells it: with the pid it names the process for good
	done  chan struct{}
	err   error // how it ended; valid once done is closed
}

// Start runs a command in a namespace in the background. Close stops it.
func (w *World) Start(ns string, cmd ...string) (*Proc, error) {
	return w.start(ns, cmd, nil)
}

func (w *World) start(ns string, cmd, env []string) (*Proc, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, fmt.Errorf("start %s: world %s is closed", cmd[0], w.Name)
	}
	log, err := os.CreateTemp(w.Dir, ns+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("make log of %s: %w", cmd[0], err)
	}
	defer log.Close() // the child has its own descriptor
	argv := w.inside(ns, cmd)
	w.logf("$ %s &", strings.Join(argv, " "))
	p := &Proc{Name: strings.Join(cmd, " "), Log: log.Name(), done: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.start, _ = startTime(p.cmd.Process.Pid)
	go p.reap()
	w.procs = append(w.procs, p)
	return p, w.saveState()
}

func (p *Proc) reap() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID returns the process id.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// ExitCode returns the exit code, -1 after a signal; it waits for the end.
func (p *Proc) ExitCode() int { <-p.done; return p.cmd.ProcessState.ExitCode() }

// Output returns what the process has written so far.
func (p *Proc) Output() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(b)
}

// Signal sends a signal to the process alone.
func (p *Proc) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop ends the process in order (SIGTERM, after 20 s SIGKILL) and waits. A
// process that had ended before is no error.
func (p *Proc) Stop() error {
	p.signal(stopSignal)
	return p.finish(stopGrace)
}

// Kill ends the process at once, as kill -9 does, and waits.
func (p *Proc) Kill() error {
	p.signal(syscall.SIGKILL)
	return p.finish(stopGrace)
}

// signal reaches the whole process group while its leader is not reaped.
func (p *Proc) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.PID(), s) // fails only if it ended this moment
	}
}

// finish waits for the end and kills when grace is over.
func (p *Proc) finish(grace time.Duration) error {
	select {
	case <-p.done:
		return nil
	case <-time.After(max(grace, 0)):
	}
	p.signal(syscall.SIGKILL)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopGrace):
		return fmt.Errorf("stop %s: process %d does not end", p.Name, p.PID())
	}
}

// WaitOutput waits until the process has written text. It fails when the
// process ends before, or after limit.
func (p *Proc) WaitOutput(text string, limit time.Duration) error {
	return Until(limit, fmt.Sprintf("%q from %s", text, p.Name), func() (bool, error) {
		ended := p.ended() // asked first: what it wrote before its end counts
		if strings.Contains(p.Output(), text) {
			return true, nil
		}
		if ended {
			return false, fmt.Errorf("it ended (%v):\n%s", p.err, p.Output())
		}
		return false, nil
	})
}

func (p *Proc) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ErrEnded says that a process ended while somebody waited for it to be ready.
var ErrEnded = errors.New("process ended")
