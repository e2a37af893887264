package router_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/net/netns"
	"waymark/scripts/soak"
	"waymark/svr/packet"
)

// Who floods, and whom: nobody has that address.
var clientAddr, nobodyAddr = netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("10.20.0.99")

// leastFlood is how many SYNs are a flood.
const leastFlood = 50_000

// fromClient gives send the client's link and a way to put frames on it, as fast as a
// packet socket takes them: those that it has no room for are as good as sent.
func fromClient(t *testing.T, w *world.World, send func(link *net.Interface, put func(frame []byte) error) error) {
	t.Helper()
	err := netns.Do(w.NS(world.Client), func() error {
		dev, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := unix.SockaddrLinklayer{Protocol: 0x0008, Ifindex: dev.Index, Halen: 6}
		return send(dev, func(frame []byte) error {
			if err := unix.Sendto(fd, frame, 0, &to); err != unix.ENOBUFS && err != unix.EAGAIN {
				return err
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// flood sends SYNs of ever new flows to the branch until ctx ends and there were
// enough, and returns how many.
func flood(ctx context.Context, t *testing.T, w *world.World, gateway net.HardwareAddr) (sent int) {
	fromClient(t, w, func(link *net.Interface, put func([]byte) error) error {
		var frame [74]byte
		copy(frame[:], gateway)
		copy(frame[6:], link.HardwareAddr)
		frame[12], frame[13] = 8, 0
		src, _ := packet.FromAddr(clientAddr)
		dst, _ := packet.FromAddr(nobodyAddr)
		for ; ctx.Err() == nil || sent < leastFlood; sent++ {
			var p packet.Packet
			p.Reset(frame[:], 14, 14, 0)
			tuple := packet.Tuple{Src: src, Dst: dst, Proto: packet.ProtoTCP, Family: 4,
				SrcPort: uint16(1024 + sent%60000), DstPort: uint16(1024 + sent/60000)}
			if packet.BuildTCP(&p, tuple, 64, 0, uint32(sent), 0, packet.FlagSYN, 65535, 0) == nil {
				return unix.ENOBUFS
			}
			p.FinishFull()
			if err := put(p.Buf[:p.End]); err != nil {
				return err
			}
		}
		return nil
	})
	return sent
}

// A flood of unknown flows fills the punt's budget. Established sessions do not
// feel it: those of the kernel's lane lose nothing, those of the service lane
// are served first, in one of three rounds, and the router's host answers.
func TestFloodStarvesNobody(t *testing.T) {
	soak.Within(t, "encrypted transfer of 4 s beside a flood took", 8*time.Second, func() time.Duration { return floodOnce(t) })
}

// floodOnce returns how long the encrypted transfer took beside a flood.
func floodOnce(t *testing.T) time.Duration {
	t.Helper()
	w := newWorld(t, world.Options{})
	branch, _ := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.80:8443")
	for _, ns := range []string{world.Client, world.Server} {
		countUDP(t, w, ns, 5000)
	}
	gateway := linkAddr(t, w, world.Branch, "lan0")
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	stream, secret := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 5, 7, 1200)
		stream <- err
	}()
	var got traffic.Transfer
	go func() { // encrypted: 4 s at its rate
		var err error
		got, err = traffic.PutPaced(ctx, w, world.Client, "10.20.0.80:8443", 2_000_000, 4)
		secret <- err
	}()
	until(t, branch, "established sessions", func(rows []row) bool {
		n := 0
		for _, s := range rows {
			if s["dir"] == "fwd" && s["bytes"].(float64) > 200_000 {
				n++
			}
		}
		return n == 2
	}, "sessions")
	before, drops := stats(t, branch), kernelDrops(t, w)
	storm, calm := context.WithTimeout(ctx, 3*time.Second)
	defer calm()
	const asked = 20
	pinged := make(chan string, 1)
	go func() {
		out, _ := w.Exec(world.Client, "ping", "-n", "-c", fmt.Sprint(asked), "-i", "0.1", "-W", "2", "192.168.1.1")
		pinged <- out
	}()
	sent := flood(storm, t, w, gateway)
	// A flood may be too much for the kernel's queue between devices as well.
	if out := <-pinged; answers(out) < asked/2 || float64(asked-answers(out)) > kernelDrops(t, w)-drops {
		t.Errorf("the host does not answer:\n%s", out)
	}
	after := stats(t, branch)
	lost := after["fast/punts-lost"] - before["fast/punts-lost"]
	t.Logf("%d SYNs sent, %v found the queue full", sent, lost)
	if lost == 0 {
		t.Errorf("%d SYNs, %v over the budget: no flood", sent, lost)
	}
	if err := <-secret; err != nil || got.Sent != got.Arrived {
		t.Errorf("encrypted transfer: %+v, %v", got, err)
	}
	if err := <-stream; err != nil {
		t.Error(err)
	}
	c, s := readCounts(t, w, world.Client), readCounts(t, w, world.Server)
	if dropped := kernelDrops(t, w) - drops; c["out"]-s["in"] > dropped || c["out"] < s["in"] || c["out"] < 3000 {
		t.Errorf("client sent %v, server got %v; the kernel dropped %v", c["out"], s["in"], dropped)
	}
	return time.Duration(got.Seconds * float64(time.Second))
}

// answers is how many answers a ping that has ended tells of.
func answers(out string) int { return strings.Count(out, "bytes from") }

// linkAddr returns the MAC of an interface.
func linkAddr(t *testing.T, w *world.World, ns, dev string) (mac net.HardwareAddr) {
	t.Helper()
	err := netns.Do(w.NS(ns), func() error {
		i, err := net.InterfaceByName(dev)
		if err == nil {
			mac = i.HardwareAddr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mac
}
