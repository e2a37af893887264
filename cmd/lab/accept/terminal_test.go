package accept

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a console of a router on a pseudo terminal, and who sits there.
type terminal struct {
	*site
	far  *os.File
	cmd  *exec.Cmd
	seen strings.Builder
	read int // how far expect has come
}

// newTerminal starts `waymark console ARGS` in a namespace, in front of a user.
func newTerminal(s *site, ns string, args ...string) *terminal {
	s.Helper()
	bin, err := s.w.Waymark()
	s.must(err)
	far, near := openPTY(s)
	argv := append([]string{"netns", "exec", s.w.NS(ns), bin, "console"}, args...)
	c := exec.Command("ip", argv...)
	c.Stdin, c.Stdout, c.Stderr = near, near, near
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	s.must(c.Start())
	near.Close()
	t := &terminal{site: s, far: far, cmd: c}
	s.Cleanup(func() {
		far.Close()
		_ = c.Process.Kill() // an error: it has ended
		_ = c.Wait()
		if s.Failed() {
			s.Logf("terminal:\n%s", t.seen.String())
		}
	})
	return t
}

// openPTY makes a pseudo terminal of 120 × 40.
func openPTY(s *site) (far, near *os.File) {
	s.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	s.must(err)
	raw, err := far.SyscallConn()
	s.must(err)
	var n int
	s.must(raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if err == nil {
			err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
		}
	}))
	s.must(err)
	near, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	s.must(err)
	return far, near
}

// types sends keys.
func (t *terminal) types(keys string) {
	t.Helper()
	_, err := t.far.WriteString(keys)
	t.must(err)
}

// expect waits for text behind what was expected before and returns what came
// until then.
func (t *terminal) expect(text string) string {
	t.Helper()
	buf := make([]byte, 4096)
	t.must(t.far.SetReadDeadline(deadline()))
	for {
		rest := t.seen.String()[t.read:]
		if i := strings.Index(rest, text); i >= 0 {
			t.read += i + len(text)
			return rest[:i+len(text)]
		}
		n, err := t.far.Read(buf)
		if err != nil {
			t.Fatalf("%v before %q in %q", err, text, rest)
		}
		t.seen.Write(buf[:n])
	}
}

// command types a line and returns what it wrote, up to the next prompt.
func (t *terminal) command(line string) string {
	t.Helper()
	t.types(line + "\r")
	t.expect("\r\n") // the echo of the line
	return t.expect("# ")
}

// ended waits for the end of the console.
func (t *terminal) ended() error {
	done := make(chan error, 1)
	go func() { done <- t.cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return fmt.Errorf("the console does not end")
	}
}
