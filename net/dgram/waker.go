package dgram

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// waker has Go wait for a socket only while it is wanted. Go polls an epoll instance
// that polls the socket: the socket itself would wake a thread for every datagram, also
// while nobody waits for one.
type waker struct {
	file *os.File
	raw  syscall.RawConn
}

func newWaker(socket int) (*waker, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make epoll instance: %w", err)
	}
	err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, socket, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(socket)})
	if err == nil {
		err = unix.SetNonblock(fd, true) // so that Go polls it
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("poll socket: %w", err)
	}
	w := &waker{file: os.NewFile(uintptr(fd), "epoll")}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, fmt.Errorf("poll socket: %w", err)
	}
	return w, nil
}

// Mute says whether what arrives is to wake nobody: Receive finds it, Wait does not.
func (s *Socket) Mute(on bool) error {
	events := uint32(unix.EPOLLIN)
	if on {
		events = 0
	}
	var err error
	e := s.raw.Control(func(socket uintptr) {
		e := s.wake.raw.Control(func(fd uintptr) {
			err = unix.EpollCtl(int(fd), unix.EPOLL_CTL_MOD, int(socket), &unix.EpollEvent{Events: events, Fd: int32(socket)})
		})
		if e != nil {
			err = e
		}
	})
	if e != nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("poll socket: %w", err)
	}
	return nil
}

// Wait receives a batch, and waits for one if it must. Errors: the socket was closed.
func (s *Socket) Wait() (n int, err error) {
	if err = s.wake.raw.Read(s.in.ready); err != nil {
		return 0, fmt.Errorf("wait for datagrams: %w", err)
	}
	return s.in.n, nil
}
