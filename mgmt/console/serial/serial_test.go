package serial_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/mgmt/console"
	"waymark/mgmt/console/serial"
	"waymark/mgmt/console/tty"
)

// pty returns the far end of a terminal and the name of the near one.
func pty(t *testing.T) (far *os.File, name string) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	raw, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err2 := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return far, fmt.Sprintf("/dev/pts/%d", n)
}

func readUntil(t *testing.T, f *os.File, text string) {
	t.Helper()
	var all strings.Builder
	buf := make([]byte, 1000)
	for !strings.Contains(all.String(), text) {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatalf("%v before %q in %q", err, text, all.String())
		}
		all.Write(buf[:n])
	}
}

// A console on a serial port: bytes pass as they are, and when the other side
// goes the session does.
func TestConsoleOnPort(t *testing.T) {
	far, name := pty(t)
	port, err := serial.Open(name, serial.Config{Baud: 115200, Modem: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- console.Serve(context.Background(), port, console.Options{Run: t.TempDir(), Port: name})
	}()
	readUntil(t, far, "operator@waymark> ")
	if _, err := far.WriteString("shwo\r"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, far, `did you mean "show"?`)
	far.Close()
	if err := <-ended; !errors.Is(err, tty.ErrHangup) {
		t.Errorf("carrier lost: %v", err)
	}
}

// A port whose other side takes nothing must not hold whoever serves it.
func TestBlockedPort(t *testing.T) {
	_, name := pty(t)
	port, err := serial.Open(name, serial.Config{})
	if err != nil {
		t.Fatal(err)
	}
	term := tty.New(port, tty.Config{Stall: 200 * time.Millisecond, Queue: 4096})
	for range 100 {
		if _, err = term.Write([]byte(strings.Repeat("x", 4096))); err != nil {
			break
		}
	}
	if !errors.Is(err, tty.ErrStalled) {
		t.Errorf("400 KB into a port that nobody reads: %v", err)
	}
	term.Close()
	port, err = serial.Open(name, serial.Config{})
	if err != nil {
		t.Errorf("the port cannot be opened again: %v", err)
	}
	port.Close()
}

func TestOpenErrors(t *testing.T) {
	_, name := pty(t)
	for _, row := range []struct {
		name string
		c    serial.Config
		want string
	}{
		{"/dev/ttyNONE", serial.Config{}, "no such file"},
		{"/dev/null", serial.Config{}, "inappropriate ioctl"},
		{name, serial.Config{Baud: 12345}, "12345 baud"},
	} {
		if f, err := serial.Open(row.name, row.c); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("open %s: %v, %v", row.name, f, err)
		}
	}
}
