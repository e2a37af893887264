package netns_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
)

func current(t *testing.T) string {
	t.Helper()
	s, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLife(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home := current(t)
	name := netns.RandomName("wmt-")
	if err := netns.Create(name); err != nil {
		t.Fatal(err)
	}
	if err := netns.Create(name); !errors.Is(err, os.ErrExist) {
		t.Errorf("create again: got %v, want ErrExist", err)
	}
	var inside string
	if err := netns.Do(name, func() (err error) {
		inside, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	}); err != nil || inside == home {
		t.Errorf("inside: got %s, %v, outside %s", inside, err, home)
	}
	if got := current(t); got != home {
		t.Errorf("after Do: got %s, want %s", got, home)
	}
	if out, err := exec.Command("ip", "netns", "exec", name, "ip", "link", "show", "lo", "up").Output(); err != nil || len(out) == 0 {
		t.Errorf("ip netns sees %q, %v, want loopback up", out, err)
	}
	if err := netns.Delete(name); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(netns.Dir, name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file after delete: %v", err)
	}
	if err := netns.Do(name, func() error { return nil }); err == nil {
		t.Error("entered a deleted namespace")
	}
	if err := netns.Delete(name); err == nil {
		t.Error("deleted twice")
	}
}

// Failing functions never leave a thread in the wrong namespace.
func TestThreadsComeHome(t *testing.T) {
	ns := nstest.New(t)
	home := current(t)
	for range 50 {
		_ = netns.Do(ns, func() error { return errors.New("x") })
		_ = netns.Do(ns, func() error { runtime.Goexit(); return nil })
	}
	done := make(chan string)
	for range 20 {
		go func() {
			s, _ := os.Readlink("/proc/thread-self/ns/net")
			done <- s
		}()
		if got := <-done; got != home {
			t.Fatalf("a goroutine runs in %s, want %s", got, home)
		}
	}
}

func TestVethAndRun(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: a, Name: "x0", MTU: 9000, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")}},
		netns.End{NS: b, Name: "x1", MTU: 9000, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")}})
	for _, to := range []string{"10.0.0.2", "fd00::2"} {
		cmd := exec.Command("ping", "-c", "1", "-W", "3", "-s", "8000", to)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := netns.Run(a, cmd); err != nil {
			t.Errorf("ping %s: %v\n%s", to, err, out.String())
		}
	}
	if err := netns.Veth(netns.End{NS: a, Name: "x0"}, netns.End{NS: b, Name: "x9"}); !errors.Is(err, os.ErrExist) {
		t.Errorf("same name again: got %v, want ErrExist", err)
	}
}
