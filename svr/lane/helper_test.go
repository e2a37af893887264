package lane_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"waymark/net/guard"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/svr/lane"
	"waymark/svr/lane/lanetest"
)

// patience bounds every wait for an event.
const patience = time.Minute

// run runs a command inside a namespace and returns what it printed.
func run(t testing.TB, ns, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(ns, cmd); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out.String())
	}
	return out.String()
}

// runFails is run for a command that must fail.
func runFails(t testing.TB, ns, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(ns, cmd); err == nil {
		t.Errorf("%s %v succeeded, want failure", name, args)
	}
	return out.String()
}

// ping sends count echo requests and wants all answered.
func ping(t testing.TB, ns, to string, count int) {
	t.Helper()
	run(t, ns, "ping", "-q", "-c", fmt.Sprint(count), "-i", "0.05", "-W", "20", to)
}

// guardRouter keeps the router's kernel out of the forwarding.
func guardRouter(t testing.TB, n *lanetest.Net) {
	t.Helper()
	nstest.In(t, n.Router, func() error {
		return guard.Apply(guard.Config{Owner: "test", Devices: []string{lanetest.LeftIf, lanetest.RightIf}})
	})
}

// eventually polls a condition on the loop's goroutine.
func eventually(t testing.TB, l *lane.Lane, what string, cond func() bool) {
	t.Helper()
	if !soon(t, l, cond) {
		t.Fatalf("timeout: %s", what)
	}
}

// soon tells whether a condition holds sooner or later.
func soon(t testing.TB, l *lane.Lane, cond func() bool) bool {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		ok := false
		if err := l.Do(func() { ok = cond() }); err != nil {
			t.Fatal(err)
		}
		if ok || time.Now().After(deadline) {
			return ok
		}
	}
}

// waitResolved waits until the forwarder's next-hops answered.
func waitResolved(t testing.TB, n *lanetest.Net, hops *lane.Hops) {
	t.Helper()
	eventually(t, n.Lane, "next-hops resolve", func() bool {
		for _, r := range n.Forwarder.Routes {
			if st, _ := hops.State(r.Hop); st != lane.HopResolved {
				return false
			}
		}
		return true
	})
}

// counters returns the counters of the lane and of its two ports.
func counters(t testing.TB, n *lanetest.Net) (l lane.Counters, left, right lane.PortCounters) {
	t.Helper()
	if err := n.Lane.Do(func() {
		l, left, right = n.Lane.Counters(), n.Lane.Ports()[0].Counters(), n.Lane.Ports()[1].Counters()
	}); err != nil {
		t.Fatal(err)
	}
	return l, left, right
}

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// transfer sends size random bytes over TCP, in writes of at most chunk bytes,
// and compares both ends' SHA-256.
func transfer(t testing.TB, from, to, host string, size, chunk int) {
	t.Helper()
	var l net.Listener
	nstest.In(t, to, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		return err
	})
	defer l.Close()
	type result struct {
		sum [32]byte
		err error
	}
	received := make(chan result, 1)
	go func() {
		sum, err := receive(l)
		received <- result{sum, err}
	}()
	var c net.Conn
	nstest.In(t, from, func() (err error) {
		c, err = net.DialTimeout("tcp", l.Addr().String(), patience)
		return err
	})
	sent, err := send(c, size, chunk)
	if err != nil {
		t.Fatal(err)
	}
	if r := <-received; r.err != nil || r.sum != sent {
		t.Errorf("transfer to %s: got %x, %v, want %x", host, r.sum, r.err, sent)
	}
}

func send(c net.Conn, size, chunk int) (sum [32]byte, err error) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * patience))
	h := sha256.New()
	rnd := rand.NewChaCha8([32]byte{1})
	b := make([]byte, chunk)
	for n := 0; n < size; n += chunk {
		rnd.Read(b)
		h.Write(b)
		if _, err := c.Write(b); err != nil {
			return sum, err
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}

func receive(l net.Listener) (sum [32]byte, err error) {
	c, err := l.Accept()
	if err != nil {
		return sum, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * patience))
	h := sha256.New()
	if _, err := io.Copy(h, c); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

// stream moves size bytes over TCP without looking at them.
func stream(t testing.TB, from, to, host string, size int) {
	t.Helper()
	var l net.Listener
	nstest.In(t, to, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		return err
	})
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			b := make([]byte, 1<<17)
			for got := 0; got < size && err == nil; {
				var n int
				n, err = c.Read(b)
				got += n
			}
		}
		done <- err
	}()
	var c net.Conn
	nstest.In(t, from, func() (err error) {
		c, err = net.DialTimeout("tcp", l.Addr().String(), patience)
		return err
	})
	defer c.Close()
	b := make([]byte, 1<<17)
	for n := 0; n < size; n += len(b) {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
