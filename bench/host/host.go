// Package host holds the two ends of a TCP transfer. They are processes of
// their own: plain blocking system calls, so that every contestant meets the
// same hosts and bytes are counted where they arrive.
package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// block is the length of a read or write in bytes, as iperf3's.
const block = 128 << 10

// Congestion is how a sender finds its rate: the kernel's own choice, whatever the
// machine has chosen. BBR paces by what it estimates, and holds a path back whose
// processors take turns.
var Congestion = "cubic"

// CheckCongestion returns an error unless the kernel has a congestion control.
func CheckCongestion(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name); err != nil {
		have, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control") // for the message alone
		return fmt.Errorf("congestion control %q: %w; this kernel has %s", name, err, bytes.TrimSpace(have))
	}
	return nil
}

// Result is what a receiver prints as one JSON line.
type Result struct {
	Bytes   int64 `json:"bytes"`
	Elapsed int64 `json:"ns"`
}

// Rate returns bits per second.
func (r Result) Rate() float64 { return float64(r.Bytes) * 8e9 / float64(max(r.Elapsed, 1)) }

// Ready is what a receiver prints when it listens.
const Ready = "listening"

// address returns family and address of a socket.
func address(a netip.AddrPort) (int, unix.Sockaddr) {
	if a.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// Receive accepts one connection on at, lets warm pass, counts what arrives
// during span and prints a Result.
func Receive(at netip.AddrPort, warm, span time.Duration) error {
	runtime.LockOSThread()
	family, local := address(at)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("set option: %w", err)
	}
	if err := unix.Bind(fd, local); err != nil {
		return fmt.Errorf("bind %v: %w", at, err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println(Ready)
	conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	b := make([]byte, block)
	if _, err := drain(conn, b, warm); err != nil {
		return err
	}
	r, err := drain(conn, b, span)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// drain reads for about span and counts.
func drain(fd int, b []byte, span time.Duration) (r Result, err error) {
	// A dead contestant must end the run: a read waits two seconds at most.
	tv := unix.NsecToTimeval(int64(2 * time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return r, fmt.Errorf("set option: %w", err)
	}
	start := time.Now()
	for {
		n, e := call(unix.SYS_READ, fd, b)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return r, fmt.Errorf("read: %w", e)
		}
		if n == 0 {
			return r, errors.New("read: the sender has closed")
		}
		r.Bytes += int64(n)
		if t := time.Since(start); t >= span {
			r.Elapsed = int64(t)
			return r, nil
		}
	}
}

// Send connects to addr and writes, by a congestion control, until the receiver has
// had enough.
func Send(addr netip.AddrPort, congestion string) error {
	runtime.LockOSThread()
	family, remote := address(addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion); err != nil {
		return fmt.Errorf("choose %s: %w", congestion, err)
	}
	if err := unix.Connect(fd, remote); err != nil {
		return fmt.Errorf("connect to %v: %w", addr, err)
	}
	b := make([]byte, block)
	for {
		if _, e := call(unix.SYS_WRITE, fd, b); e != 0 && e != unix.EINTR {
			return nil // reset by the receiver, which knows the result
		}
	}
}

// call reads or writes without Go's scheduler, which would look after every
// waiting call from another thread: a tenth of what the host costs. There is
// nothing else to schedule here.
func call(nr uintptr, fd int, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall(nr, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), e
}
