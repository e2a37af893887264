package router

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"waymark/svr/host"
	"waymark/svr/policy"
)

// ErrOwned: another router has the run directory, the network namespace or a
// device already. The error names it.
var ErrOwned = errors.New("another router is there")

// lockPrefix begins the abstract sockets that stand for what a router owns in
// its network namespace: "@waymark" the namespace itself (its sysctls, routes
// and nftables tables), "@waymark/NAME" a Linux interface.
const lockPrefix = "@waymark"

// locks are what keeps a second router away; they end with the process.
type locks struct {
	file    *os.File
	sockets []net.Listener
}

// lockPatience is how long a router waits for one that has been killed: the
// kernel needs a moment to take its memory down and then its locks.
const lockPatience = time.Second

// lock takes the run directory, the namespace and every device of the tables,
// or nothing.
func lock(set *Settings, t *policy.Tables) (*locks, error) {
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		l, err := tryLock(set, t)
		if !errors.Is(err, ErrOwned) || time.Since(start) > lockPatience {
			return l, err
		}
	}
}

func tryLock(set *Settings, t *policy.Tables) (*locks, error) {
	who := fmt.Sprintf("router %s, process %d, run directory %s", t.RouterName, os.Getpid(), set.RunDir)
	l := &locks{}
	if err := l.directory(set.RunDir, who); err != nil {
		return nil, err
	}
	names := []string{lockPrefix}
	for _, dev := range host.Targets(t) {
		names = append(names, lockPrefix+"/"+dev)
	}
	for _, name := range names {
		if err := l.claim(name, who); err != nil {
			l.release()
			return nil, err
		}
	}
	return l, nil
}

// directory locks the run directory.
func (l *locks) directory(dir, who string) error {
	name := filepath.Join(dir, LockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("lock run directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(f, 500)) // unreadable: unnamed
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("run directory %s: %w: %s", dir, ErrOwned, strings.TrimSpace(string(owner)))
		}
		return fmt.Errorf("lock run directory %s: %w", dir, err)
	}
	l.file = f
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(who+"\n"), 0)
		if err != nil {
			l.release()
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// claim takes an abstract socket; they are apart in every network namespace.
// Whoever connects is told the owner.
func (l *locks) claim(name, who string) error {
	s, err := net.Listen("unix", name)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w: %s", lockedThing(name), ErrOwned, askOwner(name))
	}
	if err != nil {
		return fmt.Errorf("claim %s: %w", lockedThing(name), err)
	}
	l.sockets = append(l.sockets, s)
	go func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(c, who)
			c.Close()
		}
	}()
	return nil
}

func lockedThing(name string) string {
	if dev, ok := strings.CutPrefix(name, lockPrefix+"/"); ok {
		return "device " + dev
	}
	return "network namespace"
}

// askOwner asks the owner of an abstract socket for its name.
func askOwner(name string) string {
	c, err := net.DialTimeout("unix", name, time.Second)
	if err != nil {
		return "unknown"
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	who, err := io.ReadAll(io.LimitReader(c, 500))
	if err != nil || len(who) == 0 {
		return "unknown"
	}
	return string(who)
}

// release gives everything back.
func (l *locks) release() {
	for _, s := range l.sockets {
		s.Close()
	}
	l.sockets = nil
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
