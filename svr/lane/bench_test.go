package lane_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/netns/nstest"
	"waymark/svr/lane/lanetest"
	"waymark/svr/lane/lanetest/gen"
)

// offered starts a generator on CPU 0 towards the router's left side.
func offered(t testing.TB, n *lanetest.Net) *gen.Generator {
	t.Helper()
	gen.Ethtool(t, n.Router, lanetest.LeftIf, gen.EthtoolSGRO, 1)
	client, left := gen.Link(t, n.Client, lanetest.ClientIf), gen.Link(t, n.Router, lanetest.LeftIf)
	frame := gen.UDPFrame(left.MAC, client.MAC, [4]byte{10, 1, 0, 2}, [4]byte{10, 2, 0, 2}, 5001)
	var g *gen.Generator
	nstest.In(t, n.Client, func() (err error) {
		g, err = gen.NewGenerator(client.Index, frame, 1024)
		return err
	})
	return g
}

// BenchmarkForward64 is the rate at which one lane forwards 64-byte packets
// while a generator overloads it from the other core. On a shared machine the
// CPU time per packet of the lane's thread says more than the rate.
func BenchmarkForward64(b *testing.B) {
	n := lanetest.NewNet(b)
	guardRouter(b, n)
	hops := n.Start(b, nil)
	waitResolved(b, n, hops)
	gen.Sink(b, n.Server, lanetest.ServerIf)
	n.Lane.Do(func() { gen.Pin(1) })
	g := offered(b, n)
	g.Start(n.Client, 0)
	<-time.After(200 * time.Millisecond)
	for b.Loop() {
		before, start := sample(n), time.Now()
		<-time.After(time.Second)
		after, d := sample(n), time.Since(start).Seconds()
		packets := float64(after.tx - before.tx)
		b.ReportMetric(packets/d, "pps")
		b.ReportMetric(float64(after.cpu-before.cpu)/packets, "ns-cpu/pkt")
		b.ReportMetric(0, "ns/op")
	}
	if err := g.Stop(); err != nil {
		b.Fatal(err)
	}
}

type point struct {
	tx  uint64 // packets sent
	cpu int64  // CPU time of the loop's thread in ns
}

func sample(n *lanetest.Net) (p point) {
	n.Lane.Do(func() {
		var ts unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
		p = point{n.Lane.Ports()[1].Counters().TxPackets, ts.Nano()}
	})
	return p
}

// BenchmarkTCP is one TCP stream of super-packets through a router: one lane,
// and the kernel's own forwarding for comparison.
func BenchmarkTCP(b *testing.B) {
	lanes := lanetest.NewNet(b)
	guardRouter(b, lanes)
	waitResolved(b, lanes, lanes.Start(b, nil))
	kernel := lanetest.NewNet(b)
	nstest.In(b, kernel.Router, func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
	})
	const size = 1 << 30
	var seconds [2]float64
	rounds := 0.0
	for b.Loop() {
		rounds++
		for i, n := range []*lanetest.Net{lanes, kernel} {
			start := time.Now()
			stream(b, n.Client, n.Server, "10.2.0.2", size)
			seconds[i] += time.Since(start).Seconds()
		}
	}
	b.ReportMetric(rounds*size*8/seconds[0]/1e9, "Gbit/s")
	b.ReportMetric(rounds*size*8/seconds[1]/1e9, "kernel-Gbit/s")
	b.ReportMetric(0, "ns/op")
}
