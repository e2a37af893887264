package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// pathMax is the longest path of a unix socket (sun_path less its zero).
const pathMax = 107

// socketPath returns a path of the socket in dir that the kernel takes. One
// that is too long is reached through a descriptor of the directory, until done.
func socketPath(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, Socket)
	if len(path) <= pathMax {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), Socket), func() { d.Close() }, nil
}

// Listen makes the control socket in dir, for its owner only. One that is there
// is replaced: whoever calls has the directory's lock. Close removes it.
func Listen(dir string) (net.Listener, error) {
	path, done, err := socketPath(dir)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		done()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		done()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return &listener{l, done}, nil
}

// listener gives the directory back when it closes.
type listener struct {
	net.Listener
	done func()
}

// Close implements net.Listener.
func (l *listener) Close() error {
	defer l.done()
	return l.Listener.Close()
}
