package sntp_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/sntp"
)

// fakeClock is a clock that is wrong until it is set.
type fakeClock struct {
	mu    sync.Mutex // guards the rest
	wrong time.Duration
	steps int
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.wrong)
}

func (c *fakeClock) Step(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong += d
	c.steps++
	return nil
}

func (c *fakeClock) Slew(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong += d
	return nil
}

// chronyd tells the machine's own time, and never sets it (-x).
func chronyd(t *testing.T, ns string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "chrony.conf")
	if err := os.WriteFile(conf, []byte("local stratum 5\nallow all\ncmdport 0\nbindcmdaddress /\npidfile "+dir+"/pid\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nstest.Program(t, "chronyd"), "-x", "-d", "-u", "root", "-f", conf)
	if err := netns.Start(ns, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it ends by our signal
	})
}

// serves waits until a server answers.
func serves(t *testing.T, ns, at string) {
	t.Helper()
	question := make([]byte, 48)
	question[0] = 0x23
	nstest.In(t, ns, func() error {
		late, tick := time.Now().Add(time.Minute), time.NewTicker(20*time.Millisecond)
		defer tick.Stop()
		for {
			c, err := net.Dial("udp", at)
			if err != nil {
				return err
			}
			_ = c.SetDeadline(time.Now().Add(time.Second)) // fails on closed ones only
			_, err = c.Write(question)
			if err == nil {
				_, err = c.Read(make([]byte, 512))
			}
			c.Close()
			if err == nil || time.Now().After(late) {
				return err
			}
			<-tick.C
		}
	})
}

// A clock that stands at the beginning of 1970 is right after the first answer
// of chrony, in one step; a second server that is nobody changes nothing.
func TestChrony(t *testing.T) {
	ours, theirs := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: ours, Name: "c0", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24")}},
		netns.End{NS: theirs, Name: "s0", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}})
	chronyd(t, theirs)
	serves(t, ours, "192.0.2.1:123")
	clock := &fakeClock{wrong: -time.Since(time.Unix(0, 0))}
	told := make(chan sntp.Action, 16)
	c := sntp.NewClient(sntp.Options{Clock: clock, Floor: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			a, err := netip.ParseAddr(host)
			return []netip.Addr{a}, err
		},
		Set: func(a sntp.Action) { told <- a }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	c.Use([]string{"192.0.2.1", "no address"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- netns.Do(ours, func() error { return c.Run(ctx) }) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	select {
	case a := <-told:
		if !a.Step {
			t.Errorf("set by %+v", a)
		}
	case <-time.After(time.Minute):
		list, _, _ := c.Look()
		t.Fatalf("no time: %+v", list)
	}
	off := time.Until(clock.Now()).Abs()
	list, synced, _ := c.Look()
	// Nobody knows the time better than half of the way there and back, which is long on a busy machine.
	if len(list) == 0 || off > 50*time.Millisecond+list[0].Sample.Delay/2 || clock.steps != 1 {
		t.Errorf("off by %v after %d steps: %+v", off, clock.steps, list)
	}
	if len(list) != 2 || synced < 0 || list[0].Sample.Stratum != 5 || list[0].Reach&1 != 1 || !list[0].Chosen || list[1].Reach != 0 || list[1].Err == nil {
		t.Errorf("servers %+v, synced %v", list, synced)
	}
}
