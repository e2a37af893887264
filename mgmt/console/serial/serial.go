// Package serial opens serial ports for consoles: single bytes in and out, no
// echo, no signals, no flow control by characters.
package serial

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Config says how a port is wired.
type Config struct {
	Baud int // bits per second; 0: as it is
	// Modem: the port has a carrier line, whose loss hangs the session up. A
	// port of three wires has none and would never speak.
	Modem bool
}

// speeds are the rates that ports are used with.
var speeds = map[int]uint32{9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200}

// Open opens a port, such as /dev/ttyS0. Close of the file ends reads and writes
// that wait. A read that fails or returns nothing is a hang-up: open it again.
func Open(name string, c Config) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open serial port %s: %w", name, err)
	}
	if err := setUp(fd, c); err != nil {
		return nil, errors.Join(fmt.Errorf("set up serial port %s: %w", name, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

func setUp(fd int, c Config) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CRTSCTS | unix.CLOCAL
	t.Cflag |= unix.CS8 | unix.CREAD | unix.HUPCL
	if !c.Modem {
		t.Cflag |= unix.CLOCAL
	}
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if c.Baud != 0 {
		speed, ok := speeds[c.Baud]
		if !ok {
			return fmt.Errorf("%d baud: not supported", c.Baud)
		}
		t.Cflag = t.Cflag&^unix.CBAUD | speed
		t.Ispeed, t.Ospeed = speed, speed
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	// What was typed before is nobody's, what waits to leave is of an earlier session.
	return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH)
}
