package router_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/net/netns"
)

// sealed is the example with an encrypted service in place of the clear one.
func sealed(t *testing.T, changes ...[2]string) []byte {
	t.Helper()
	text := world.Acme()
	for _, c := range append([][2]string{{`"fd00:20::/64"],
       "security": "clear"`, `"fd00:20::/64"],
       "security": "payload-cbc"`}}, changes...) {
		if !bytes.Contains(text, []byte(c[0])) {
			t.Fatalf("configuration without %q", c[0])
		}
		text = bytes.ReplaceAll(text, []byte(c[0]), []byte(c[1]))
	}
	return text
}

var (
	asGCM       = [2]string{`"encryption-cipher": "aes-cbc-128"`, `"encryption-cipher": "aes-gcm-128"`}
	asTransform = [2]string{`"vector": ["fiber"],`, `"vector": ["fiber"], "udp-transform": {"mode": "always-transform"},`}
)

// Workers seal what leaves under either cipher and in either form: connections
// arrive whole and datagrams in their order, in both directions, of one flow and
// of many.
func TestWorkers(t *testing.T) {
	for name, changes := range map[string][][2]string{
		"CBC": nil, "GCM": {asGCM}, "CBC in UDP": {asTransform}, "GCM in UDP": {asGCM, asTransform},
	} {
		t.Run(name, func(t *testing.T) {
			onBothLanes(t, func(t *testing.T, lanes string) { testWorkers(t, lanes, sealed(t, changes...)) })
		})
	}
}

func testWorkers(t *testing.T, lanes string, config []byte) {
	w := worldOf(t, lanes, world.Options{})
	hub := start(t, w, "hub1", world.Hub, config, "-workers", "2")
	branch := start(t, w, "branch1", world.Branch, config, "-workers", "2")
	peersUp(t, branch)
	serve(t, w, world.Server, "-sink", "10.20.0.5:5001")
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	for _, count := range []int{1, 12} {
		if list, err := traffic.Puts(ctx, w, world.Client, "10.20.0.5:5001", count, 6<<20, 0); err != nil || len(list) != count {
			t.Errorf("%d connections: %v, %v", count, list, err)
		}
	}
	echo := echoes(t, w, world.Server, "10.20.0.5:7000")
	for _, flows := range []int{1, 30} {
		f := numbered(t, w, world.Client, "10.20.0.5:7000", flows, 12000/flows)
		if f.back == 0 || f.late != 0 || echo.late.Load() != 0 {
			t.Errorf("%d flows: sent %d, back %d; late there %d, late back %d", flows, f.sent, f.back, echo.late.Load(), f.late)
		}
	}
	for _, r := range []*world.Router{branch, hub} {
		if err := r.Stop(); err != nil || r.ExitCode() != 0 {
			t.Errorf("stop: %v, exit code %d", err, r.ExitCode())
		}
		leftFiles(t, r.Run)
	}
}

// A router with workers that is killed or stopped in the middle of its work goes,
// and the next one carries on.
func TestWorkersEndUnderLoad(t *testing.T) {
	w := worldOf(t, "", world.Options{})
	before := stateOf(t, w, world.Branch)
	start(t, w, "hub1", world.Hub, sealed(t), "-workers", "1")
	echoes(t, w, world.Server, "10.20.0.5:7000")
	for _, end := range []string{"kill", "stop"} {
		branch := start(t, w, "branch1", world.Branch, sealed(t), "-workers", "2")
		peersUp(t, branch)
		if f := numbered(t, w, world.Client, "10.20.0.5:7000", 4, 50); f.back == 0 {
			t.Fatalf("before %s: nothing comes back", end)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- pour(ctx, w.NS(world.Client), "10.20.0.5:7000") }()
		busy(t, branch)
		if end == "kill" {
			if err := branch.Kill(); err != nil {
				t.Fatal(err)
			}
		} else if err := branch.Stop(); err != nil || branch.ExitCode() != 0 {
			t.Errorf("stop: %v, exit code %d", err, branch.ExitCode())
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	sameState(t, w, world.Branch, "branch after stop", before)
}

// busy waits until the router has forwarded some thousand packets.
func busy(t *testing.T, r *world.Router) {
	t.Helper()
	forwarded := func() float64 {
		return only(show(t, r, "stats"), "metric", "packets/forwarded")[0]["value"].(float64)
	}
	first := forwarded()
	if err := world.Until(patience, "load", func() (bool, error) { return forwarded() > first+5000, nil }); err != nil {
		t.Fatal(err)
	}
}

// pour sends datagrams until ctx ends, whatever becomes of them.
func pour(ctx context.Context, ns, to string) error {
	return netns.Do(ns, func() error {
		c, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		b := make([]byte, 1000)
		for ctx.Err() == nil {
			_, _ = c.Write(b) // refused while there is no router: an ICMP error
		}
		return nil
	})
}

// echo answers numbered datagrams and watches their order.
type echo struct{ late atomic.Int64 }

func echoes(t *testing.T, w *world.World, ns, addr string) *echo {
	t.Helper()
	var c net.PacketConn
	if err := netns.Do(w.NS(ns), func() (err error) { c, err = net.ListenPacket("udp", addr); return err }); err != nil {
		t.Fatal(err)
	}
	e := new(echo)
	done := make(chan struct{})
	go func() {
		defer close(done)
		last := map[string]uint32{}
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if k, i := from.String(), binary.BigEndian.Uint32(b); i < last[k] {
				e.late.Add(1)
			} else {
				last[k] = i
			}
			_, _ = c.WriteTo(b[:n], from) // lost under load, as others are
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return e
}

// flooded is what became of a flood.
type flooded struct{ sent, back, late int }

// numbered sends numbered datagrams of several flows as fast as it can and reads what
// comes back. A session is made by the first, whose answer is awaited: packets that
// follow a first one at once may overtake it, with workers or without.
func numbered(t *testing.T, w *world.World, ns, to string, flows, each int) (sum flooded) {
	t.Helper()
	var list []net.Conn
	if err := netns.Do(w.NS(ns), func() error {
		for range flows {
			c, err := net.Dial("udp", to)
			if err != nil {
				return err
			}
			if err := greet(c); err != nil {
				return err
			}
			list = append(list, c)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	results := make(chan flooded, flows)
	for _, c := range list {
		go func() { results <- collect(c) }()
	}
	b := make([]byte, 1000)
	for n := range each {
		binary.BigEndian.PutUint32(b, uint32(n))
		for i, c := range list {
			if _, err := c.Write(b[:600+i%2*400]); err == nil {
				sum.sent++
			}
		}
	}
	for range list {
		r := <-results
		sum.back, sum.late = sum.back+r.back, sum.late+r.late
	}
	return sum
}

// greet sends a datagram until an answer comes.
func greet(c net.Conn) error {
	b := make([]byte, 100)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, _ = c.Write(b)
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(b); err == nil {
			return nil
		}
	}
	return errors.New("no answer")
}

// collect reads until nothing comes for a while, and closes c.
func collect(c net.Conn) (f flooded) {
	defer c.Close()
	b := make([]byte, 2048)
	for last := uint32(0); ; {
		c.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := c.Read(b); errors.Is(err, os.ErrDeadlineExceeded) {
			return f
		} else if err != nil {
			continue // an ICMP error
		}
		f.back++
		i := binary.BigEndian.Uint32(b)
		if i < last {
			f.late++
		}
		last = max(last, i)
	}
}
