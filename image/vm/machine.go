package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrEnded: the machine ended by itself while something was awaited from it.
var ErrEnded = errors.New("machine ended")

// Machine is a running QEMU.
type Machine struct {
	Console *Stream // the first serial port
	Report  *Reports

	monitor *monitor

	cmd    *exec.Cmd
	cancel context.CancelFunc
	done   chan struct{} // closed when QEMU is gone and its ports are read to their end
	err    error         // why it ended; after done
	stderr bytes.Buffer  // QEMU's own; after done
}

// Start starts a machine that lives until ctx ends, Close, or its own end. The
// files of its TAPs are closed here: QEMU alone has them then.
func Start(ctx context.Context, c Config) (*Machine, error) {
	program, args, err := c.command()
	if err != nil {
		return nil, fmt.Errorf("start machine: %w", err)
	}
	var near [3]net.Conn // console, report port, monitor
	var far []*os.File
	for i := range near {
		var f *os.File
		if near[i], f, err = pair(); err != nil {
			return nil, errors.Join(err, closeAll(near[:i], far))
		}
		far = append(far, f)
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &Machine{cancel: cancel, done: make(chan struct{})}
	m.cmd = exec.CommandContext(ctx, program, args...)
	m.cmd.Stdout, m.cmd.Stderr = &m.stderr, &m.stderr
	// A session of its own keeps Ctrl-C of a terminal from QEMU.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	m.cmd.ExtraFiles = far
	for _, n := range c.NICs {
		if n.TAP != nil {
			m.cmd.ExtraFiles = append(m.cmd.ExtraFiles, n.TAP)
		}
	}
	m.Console, m.Report, m.monitor = newStream(m, near[0]), newReports(newStream(m, near[1])), newMonitor(near[2])
	if err := m.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start machine: %w", err), closeAll(near[:], nil))
	}
	return m, nil
}

// closeAll closes our ends and QEMU's of ports that nobody will use.
func closeAll(near []net.Conn, far []*os.File) error {
	var errs []error
	for _, c := range near {
		errs = append(errs, c.Close())
	}
	for _, f := range far {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// start starts QEMU from a thread that lives as long as it: the signal of a dead
// parent is bound to the thread that forked.
func (m *Machine) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := m.cmd.Start()
		for _, f := range m.cmd.ExtraFiles {
			f.Close()
		}
		started <- err
		if err != nil {
			m.cancel()
			return
		}
		var ports sync.WaitGroup
		ports.Go(m.Console.read)
		ports.Go(m.Report.stream.read)
		m.err = m.cmd.Wait()
		ports.Wait()
		close(m.done)
		m.Console.wake()
		m.Report.stream.wake()
	}()
	return <-started
}

// Done is closed when the machine has ended and all it said was read.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Close ends QEMU, if it still runs, and waits until it is gone.
func (m *Machine) Close() {
	m.cancel()
	<-m.done
	m.Console.close()
	m.Report.stream.close()
	m.monitor.conn.Close()
}

// Ended tells how the machine ended, after Done: QEMU's own words, nil for an
// orderly end.
func (m *Machine) Ended() error {
	if m.err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w: %s", ErrEnded, m.err, bytes.TrimSpace(m.stderr.Bytes()))
}

// gone is Ended while awaiting something, where an orderly end is an error too.
func (m *Machine) gone() error {
	if err := m.Ended(); err != nil {
		return err
	}
	return ErrEnded
}

// PID is the process id of QEMU.
func (m *Machine) PID() int { return m.cmd.Process.Pid }

// pair makes a connected pair of stream sockets: our end and QEMU's.
func pair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make serial port: %w", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "serial"), os.NewFile(uintptr(fds[1]), "serial")
	defer near.Close()
	conn, err := net.FileConn(near)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make serial port: %w", err), far.Close())
	}
	return conn, far, nil
}
