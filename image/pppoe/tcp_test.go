package pppoe_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"waymark/net/netns"
)

const (
	volume = 1 << 20 // bytes each way
	// headers of a packet of TCP with timestamps.
	headers = 40 + 12
)

// startHub runs the hub's router until the test ends.
func (l *line) startHub() {
	l.Helper()
	log, err := os.Create(filepath.Join(l.configs, "hub.log"))
	if err != nil {
		l.Fatal(err)
	}
	cmd := exec.Command(l.waymark, "router", "-config", filepath.Join(l.configs, "hub.json"), "-router", "hub1", "-run", filepath.Join(l.configs, "run"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := netns.Start(l.hub, cmd); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait() // told by the log
		log.Close()
		if b, err := os.ReadFile(log.Name()); l.Failed() {
			l.Logf("hub: %v\n%s", err, b)
		}
	})
}

// reach waits until the peer path over the session is up.
func (l *line) reach() {
	l.Helper()
	for deadline := time.Now().Add(soon); ; {
		for _, r := range l.show("peers") {
			if r["network-interface"] == "fiber" && r["status"] == "up" {
				return
			}
		}
		if time.Now().After(deadline) {
			l.fail("the peer is not reached: %v", l.show("peers"))
		}
	}
}

// ends are both ends of a TCP connection through the line.
func (l *line) ends() (client, server *net.TCPConn) {
	l.Helper()
	listener := inside(l, l.server, func() (net.Listener, error) { return net.Listen("tcp", "10.20.0.10:8080") })
	defer listener.Close()
	accepted := make(chan *net.TCPConn, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c.(*net.TCPConn)
	}()
	ctx, cancel := context.WithTimeout(l.Context(), soon)
	defer cancel()
	client = inside(l, l.client, func() (*net.TCPConn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", "10.20.0.10:8080")
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	})
	server = <-accepted
	l.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// inside makes something in a namespace.
func inside[T any](l *line, ns string, open func() (T, error)) (v T) {
	l.Helper()
	err := netns.Do(ns, func() (err error) {
		v, err = open()
		return err
	})
	if err != nil {
		l.fail("in namespace %s: %v", ns, err)
	}
	return v
}

// send moves volume bytes and waits until they are all there.
func (l *line) send(from, to *net.TCPConn) {
	l.Helper()
	failed := make(chan error, 1)
	go func() {
		_, err := from.Write(make([]byte, volume))
		failed <- err
	}()
	limit := time.Now().Add(time.Minute)
	err := errors.Join(from.SetDeadline(limit), to.SetDeadline(limit))
	n, e := io.CopyN(io.Discard, to, volume)
	if err = errors.Join(err, e, <-failed); err != nil {
		l.fail("%d of %d bytes: %v", n, volume, err)
	}
}

// mss is the segment size that an end sends with.
func (l *line) mss(c *net.TCPConn) (size uint32) {
	l.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			var info *unix.TCPInfo
			if info, err = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO); err == nil {
				size = info.Snd_mss
			}
		})
	}
	if err != nil {
		l.Fatal(err)
	}
	return size
}

// fragments counts what a namespace fragmented and joined.
func (l *line) fragments(ns string) string {
	return inside(l, ns, func() (string, error) {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		lines := strings.Split(string(b), "\n")
		if err != nil || len(lines) < 2 {
			return "", fmt.Errorf("read snmp: %w", err)
		}
		names, values := strings.Fields(lines[0]), strings.Fields(lines[1])
		var out []string
		for i, n := range names {
			if n == "FragCreates" || n == "FragOKs" || n == "FragFails" || n == "ReasmReqds" {
				out = append(out, n+"="+values[i])
			}
		}
		return strings.Join(out, " "), nil
	})
}

// wire is what passes on the bridge.
type wire struct {
	packets, fragments, longest atomic.Int64
	done                        chan struct{}
	conn                        *packet.Conn
}

// watch counts the packets of PPPoE sessions on the line.
func (l *line) watch() *wire {
	l.Helper()
	w := &wire{done: make(chan struct{})}
	w.conn = inside(l, l.bridge, func() (*packet.Conn, error) {
		ifi, err := net.InterfaceByName("ac")
		if err != nil {
			return nil, err
		}
		return packet.Listen(ifi, packet.Raw, 3 /* ETH_P_ALL: both ways */, nil)
	})
	go w.count()
	return w
}

func (w *wire) count() {
	defer close(w.done)
	b := make([]byte, 4096)
	for {
		n, _, err := w.conn.ReadFrom(b)
		if err != nil {
			return
		}
		f := b[12:max(n, 12)] // behind the addresses
		if len(f) > 4 && binary.BigEndian.Uint16(f) == 0x8100 {
			f = f[4:]
		}
		if len(f) < 30 || binary.BigEndian.Uint16(f) != 0x8864 || binary.BigEndian.Uint16(f[8:]) != 0x21 {
			continue
		}
		ip := f[10:]
		w.packets.Add(1)
		if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			w.fragments.Add(1)
		}
		if size := int64(binary.BigEndian.Uint16(ip[2:])); size > w.longest.Load() {
			w.longest.Store(size)
		}
	}
}

func (w *wire) close() {
	w.conn.Close()
	<-w.done
}

// stat is a counter of the router.
func (l *line) stat(name string) int {
	l.Helper()
	for _, r := range l.show("stats") {
		if r["metric"] == name {
			return int(r["value"].(float64))
		}
	}
	l.fail("no counter %s", name)
	return 0
}

// The lane in the kernel forwards both ways between Ethernet and ppp.
func tcpBPF(t *testing.T, l *line) {
	var counts []int
	l.tcp("chap", "bpf", 1492, func() { counts = append(counts, l.stat("fast/forwarded-tc")) })
	if up, down := counts[1]-counts[0], counts[2]-counts[1]; up < 100 || down < 100 {
		t.Errorf("forwarded by the lane in the kernel: %d up, %d down", up, down)
	} else {
		t.Logf("forwarded by the lane in the kernel: %d up, %d down", up, down)
	}
}

func tcpGo(_ *testing.T, l *line) { l.tcp("chap", "go", 1492, func() {}) }

// tcp moves data through SVR over a session of that MTU: segments fit, nothing
// is fragmented. It calls count before, between and after the two ways.
func (l *line) tcp(config, lanes string, mtu int, count func()) {
	l.Helper()
	segment := uint32(mtu - headers)
	l.serve("chap", mtu)
	l.start(config, lanes)
	l.connect()
	l.startHub()
	l.reach()
	w := l.watch()
	defer w.close()
	client, server := l.ends()
	count()
	l.send(client, server)
	count()
	l.send(server, client)
	count()
	if a, b := l.mss(client), l.mss(server); a != segment || b != segment {
		l.Errorf("segments of %d and %d bytes, want %d", a, b, segment)
	}
	if w.longest.Load() != int64(mtu) || w.fragments.Load() != 0 || w.packets.Load() < 2*volume/int64(segment) {
		l.Errorf("on the line: %d packets, the longest %d, %d fragments", w.packets.Load(), w.longest.Load(), w.fragments.Load())
	}
	for _, ns := range []string{l.client, l.hub, l.server} {
		if got := l.fragments(ns); got != "ReasmReqds=0 FragOKs=0 FragFails=0 FragCreates=0" {
			l.Errorf("fragments: %s", got)
		}
	}
	l.Logf("%d packets on the line, the longest %d", w.packets.Load(), w.longest.Load())
}
