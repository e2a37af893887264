package router_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/cmd/lab/world"
	"waymark/net/netns"
	"waymark/svr/packet"
	"waymark/svr/router"
)

// muteFlows is how many flows of datagrams that nobody answers are an overload, and
// overloadFor how long it lasts: several times as long as it takes to find a dead path.
const (
	muteFlows   = 64
	overloadFor = 8 * time.Second
)

// pourDatagrams sends small datagrams of some flows to the server's port 9, at least one
// of each, until ctx ends, and returns how many.
func pourDatagrams(ctx context.Context, t *testing.T, w *world.World, gateway net.HardwareAddr) (sent int) {
	fromClient(t, w, func(link *net.Interface, put func([]byte) error) error {
		var frames [muteFlows][]byte
		for i := range frames {
			if frames[i] = datagram(gateway, link.HardwareAddr, uint16(20000+i)); frames[i] == nil {
				return unix.ENOBUFS
			}
		}
		for ; ctx.Err() == nil || sent < muteFlows; sent++ {
			if err := put(frames[sent%muteFlows]); err != nil {
				return err
			}
		}
		return nil
	})
	return sent
}

// datagram makes a frame of 60 bytes from the client to the server.
func datagram(to, from net.HardwareAddr, port uint16) []byte {
	frame := make([]byte, 60)
	copy(frame, to)
	copy(frame[6:], from)
	frame[12], frame[13] = 8, 0
	src, _ := packet.FromAddr(clientAddr)
	dst, _ := packet.FromAddr(netip.MustParseAddr("10.20.0.5"))
	var p packet.Packet
	p.Reset(frame, 14, 14, 0)
	if packet.Build(&p, packet.Tuple{Src: src, Dst: dst, Proto: packet.ProtoUDP, Family: 4, SrcPort: port, DstPort: 9}, 64, 0, 18) == nil {
		return nil
	}
	p.FinishFull()
	return p.Buf[:p.End]
}

// A service lane that gets more than it can do, from a host or from the network, sheds it, and
// neither router calls the path dead, on which nothing but datagrams that nobody answers
// leaves; even where the lane has hardly any processor, and BFD has. A path on which BFD passes
// and nothing else is found all the same, while a host goes on.
func TestOverloadTakesNoPathDown(t *testing.T) {
	t.Run("by a host, of a path that dies", func(t *testing.T) { testOverload(t, pourDatagrams, "") })
	t.Run("by a host, without processor", func(t *testing.T) { testOverload(t, pourDatagrams, world.Branch) })
	t.Run("of the peer, without processor", func(t *testing.T) { testOverload(t, pourAtHub, world.Hub) })
}

// flooder sends until ctx ends and returns how many packets.
type flooder func(ctx context.Context, t *testing.T, w *world.World, gateway net.HardwareAddr) int

// testOverload has the path watched during a flood, with a starved lane in a namespace; without
// one the path dies in the end.
func testOverload(t *testing.T, flood flooder, starved string) {
	w := worldOf(t, router.LanesGo, world.Options{})
	serve(t, w, world.Server, "-udp", "10.20.0.5:9")
	hub := start(t, w, "hub1", world.Hub, world.Acme())
	branch := start(t, w, "branch1", world.Branch, world.Acme())
	peersUp(t, branch)
	peersUp(t, hub)
	muteAnswered(t, w, branch)
	nft(t, w, world.Server, "table inet mute { chain c { type filter hook prerouting priority -300; udp dport 9 drop; }; }")
	gateway := linkAddr(t, w, world.Branch, "lan0")
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	for range 2 {
		done.Go(func() { t.Logf("%d packets sent", flood(ctx, t, w, gateway)) })
	}
	if r := map[string]*world.Router{world.Branch: branch, world.Hub: hub}[starved]; r != nil {
		starveLane(t, r)
	}
	once, end := context.WithCancel(context.Background())
	end()
	for end := time.Now().Add(overloadFor); time.Now().Before(end); {
		pourDatagrams(once, t, w, gateway)
		for _, r := range []*world.Router{branch, hub} {
			for _, p := range show(t, r, "peers", "detail") {
				if p["reason"] == "no-data" || p["reason"] == "peer-no-data" {
					t.Fatalf("%s: %v", r.Name, p)
				}
			}
		}
	}
	n := stats(t, branch)
	t.Logf("%v health checks, %v answers", n["metadata/added-session-health-check"], n["metadata/received-session-health-check-acknowledgement"])
	if starved == "" {
		foundDead(t, w, branch)
	}
}

// foundDead lets nothing but BFD pass, and waits until that is known.
func foundDead(t *testing.T, w *world.World, branch *world.Router) {
	t.Helper()
	nft(t, w, world.ISPFiber, "table inet cut { chain f { type filter hook forward priority 0; policy accept; meta l4proto { tcp, udp } th dport != 1280 drop; }; }")
	began := time.Now()
	until(t, branch, "the dead path", func(rows []row) bool {
		p := only(rows, "network-interface", "fiber")
		return len(p) == 1 && p[0]["status"] == "down" && (p[0]["reason"] == "no-data" || p[0]["reason"] == "peer-no-data")
	}, "peers", "detail")
	t.Logf("found after %v", time.Since(began).Round(time.Millisecond))
}

// pourAtHub sends small datagrams to wayports of the hub from the network, until ctx ends.
func pourAtHub(ctx context.Context, t *testing.T, w *world.World, _ net.HardwareAddr) (sent int) {
	err := netns.Do(w.NS(world.ISPFiber), func() error {
		c, err := net.Dial("udp", "198.51.100.2:20001")
		if err != nil {
			return err
		}
		defer c.Close()
		for b := make([]byte, 18); ctx.Err() == nil; sent++ {
			_, _ = c.Write(b) // what does not fit any more is lost, as it should
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return sent
}

// muteAnswered sends of every flow until the server has answered each.
func muteAnswered(t *testing.T, w *world.World, branch *world.Router) {
	t.Helper()
	once, cancel := context.WithCancel(context.Background())
	cancel()
	until(t, branch, "answered flows", func(rows []row) bool {
		n := 0
		for _, r := range only(only(rows, "dir", "rev"), "service", "datacenter") {
			if r["packets"].(float64) > 0 {
				n++
			}
		}
		if n < muteFlows {
			pourDatagrams(once, t, w, linkAddr(t, w, world.Branch, "lan0"))
		}
		return n >= muteFlows
	}, "sessions")
}

// starveLane leaves the thread of a router's service lane what no other thread wants: it has
// had more processor than any other.
func starveLane(t *testing.T, r *world.Router) {
	t.Helper()
	until(t, r, "a busy lane", func(rows []row) bool {
		return len(only(rows, "metric", "lane/rounds")) == 1 && only(rows, "metric", "lane/rounds")[0]["value"].(float64) > 3000
	}, "stats")
	dir := fmt.Sprintf("/proc/%d/task", r.PID())
	list, err := os.ReadDir(dir)
	must(t, err)
	lane, most := 0, int64(-1)
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(dir, e.Name(), "schedstat")) // ns that it ran
		tid, _ := strconv.Atoi(e.Name())
		ran, _, _ := strings.Cut(string(b), " ")
		if ns, bad := strconv.ParseInt(ran, 10, 64); err == nil && bad == nil && ns > most {
			lane, most = tid, ns
		}
	}
	must(t, unix.SchedSetAttr(lane, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0))
}
