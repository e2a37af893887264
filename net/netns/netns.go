// Package netns makes network namespaces and runs code inside them, for the
// lab and for tests. Names are those of "ip netns": files under /run/netns.
package netns

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dir holds the files that keep named namespaces alive.
const Dir = "/run/netns"

// RandomName returns prefix and eight random hex digits.
func RandomName(prefix string) string {
	var b [4]byte
	rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}

// Create makes a named namespace with its loopback interface up. Needs root.
func Create(name string) error {
	if err := prepareDir(); err != nil {
		return err
	}
	path := filepath.Join(Dir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0)
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	f.Close()
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, "")
	})
	if err == nil {
		err = Do(name, loopbackUp)
	}
	if err != nil {
		_ = Delete(name)
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}

// prepareDir makes Dir a shared mount as "ip netns" does, so that both see
// each other's namespaces from every mount namespace.
func prepareDir() error {
	if err := os.MkdirAll(Dir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", Dir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if errors.Is(err, unix.EINVAL) { // not a mount point yet
		if err = unix.Mount(Dir, Dir, "none", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = unix.Mount("", Dir, "none", unix.MS_SHARED|unix.MS_REC, "")
		}
	}
	if err != nil {
		return fmt.Errorf("share %s: %w", Dir, err)
	}
	return nil
}

// Delete removes a named namespace. It lives on while processes are in it.
func Delete(name string) error {
	path := filepath.Join(Dir, name)
	_ = unix.Unmount(path, unix.MNT_DETACH)
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("delete namespace: %w", err)
	}
	return nil
}

// Do runs fn on a locked OS thread inside the namespace and returns its error.
// Goroutines that fn starts are not inside; sockets it opens stay there.
func Do(name string, fn func() error) error {
	target, err := os.Open(filepath.Join(Dir, name))
	if err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	defer target.Close()
	return onThread(func() error {
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter namespace %s: %w", name, err)
		}
		return fn()
	})
}

// onThread runs fn on an OS thread of its own and puts the thread's namespace
// back afterwards; a thread that cannot go back is thrown away.
func onThread(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		defer home.Close()
		err = errors.New("function did not return") // fn called runtime.Goexit (t.Fatal)
		defer func() {
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
			result <- err
		}()
		err = fn()
	}()
	return <-result
}

// Start starts cmd inside the namespace. The caller waits for it.
func Start(name string, cmd *exec.Cmd) error { return Do(name, cmd.Start) }

// Run runs cmd inside the namespace and waits for it.
func Run(name string, cmd *exec.Cmd) error {
	if err := Start(name, cmd); err != nil {
		return err
	}
	return cmd.Wait()
}
