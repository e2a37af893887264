package boxtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
)

// scanned are the ports that a stranger tries: all well-known ones, what routers
// and their management use, and ours.
func scanned() (ports []int) {
	for p := 1; p <= 1024; p++ {
		ports = append(ports, p)
	}
	return append(ports, 1280, 1900, 2222, 3784, 4505, 4506, 4784, 5000, 5351, 5353, 6443, 7547, 8000, 8080, 8291, 8443, 8728,
		9000, 9090, 10000, 16384, 16385, 16386, 20000, 49152, 58000, 65533)
}

// scan tries ports of one host again and again until it is ended.
type scan struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	open  []string
	tried map[string]int // by network and host
}

// startScan scans from inside a namespace: the address, and the link-local one
// that the box's second card has.
func startScan(t *testing.T, ns, dev, addr string) *scan {
	const linkLocal = "fe80::5054:ff:fe77:6d01"
	return scanHosts(t, ns, scanned(), addr, linkLocal+"%"+dev)
}

func scanHosts(t *testing.T, ns string, ports []int, hosts ...string) *scan {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &scan{cancel: cancel, tried: map[string]int{}}
	for _, network := range []string{"tcp", "udp"} {
		for _, host := range hosts {
			s.done.Go(func() { s.sweep(ctx, ns, network, host, ports) })
		}
	}
	t.Cleanup(func() { s.cancel(); s.done.Wait() })
	return s
}

// sweep tries all ports of one host over and over.
func (s *scan) sweep(ctx context.Context, ns, network, host string, ports []int) {
	const atOnce = 64
	for ctx.Err() == nil {
		for batch := range slices.Chunk(ports, atOnce) {
			var tries sync.WaitGroup
			for _, p := range batch {
				tries.Go(func() {
					addr := net.JoinHostPort(host, fmt.Sprint(p))
					open := netns.Do(ns, func() error { return try(ctx, network, addr) }) == nil
					s.note(network+" "+host, network+" "+addr, open)
				})
			}
			tries.Wait()
			if ctx.Err() != nil {
				return
			}
		}
	}
}

func (s *scan) note(host, addr string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried[host]++
	if open && !slices.Contains(s.open, addr) {
		s.open = append(s.open, addr)
	}
}

// try returns nil if the port is open: TCP connects, UDP answers.
func try(ctx context.Context, network, addr string) error {
	const patience = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if network == "tcp" {
		return nil
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("anybody there?")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1500))
	return err
}

// end stops the scan and fails the test if anything was open, or little was tried.
func (s *scan) end(t *testing.T) {
	t.Helper()
	s.cancel()
	s.done.Wait()
	if len(s.open) > 0 {
		t.Errorf("open to strangers: %s", strings.Join(s.open, ", "))
	}
	if len(s.tried) != 4 {
		t.Errorf("tried %v", s.tried)
	}
	for host, n := range s.tried {
		if n < len(scanned()) {
			t.Errorf("%s: only %d ports tried", host, n)
		}
	}
	t.Logf("ports tried: %v", s.tried)
}

// The scanner sees what is open.
func TestScanFinds(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: a, Name: "x0", MAC: [6]byte{0x52, 0x54, 0, 0x77, 0x6d, 9}},
		netns.End{NS: b, Name: "x1", MAC: [6]byte{0x52, 0x54, 0, 0x77, 0x6d, 1}})
	var l net.Listener
	var u net.PacketConn
	nstest.In(t, b, func() (err error) {
		if l, err = net.Listen("tcp", ":8080"); err != nil {
			return err
		}
		u, err = net.ListenPacket("udp", ":5353")
		return err
	})
	defer l.Close()
	go func() {
		b := make([]byte, 100)
		for {
			_, from, err := u.ReadFrom(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			_, _ = u.WriteTo([]byte("yes"), from)
		}
	}()
	defer u.Close()
	s := scanHosts(t, a, []int{80, 5353, 8080}, "fe80::5054:ff:fe77:6d01%x0")
	seen := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.open) }
	for begun := time.Now(); seen() < 2 && time.Since(begun) < 20*time.Second; {
		_ = try(t.Context(), "tcp", "127.0.0.1:1")
	}
	s.cancel()
	s.done.Wait()
	slices.Sort(s.open)
	if want := []string{"tcp [fe80::5054:ff:fe77:6d01%x0]:8080", "udp [fe80::5054:ff:fe77:6d01%x0]:5353"}; !slices.Equal(s.open, want) {
		t.Errorf("open: %q, want %q", s.open, want)
	}
}
