package lane_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"waymark/net/netns/nstest"
	"waymark/svr/lane"
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
// while a generator overloads it from the other core.
func BenchmarkForward64(b *testing.B) {
	n := lanetest.NewNet(b)
	guardRouter(b, n)
	hops := n.Start(b, func(l, r *lane.PortConfig, c *lane.Config) { r.Bypass = benchQdisc; l.RingBytes = benchRing })
	waitResolved(b, n, hops)
	gen.Sink(b, n.Server, lanetest.ServerIf)
	n.Lane.Do(func() { gen.Pin(1) })
	g := offered(b, n)
	g.Start(n.Client, 0)
	measure(b, func() (tx uint64) {
		n.Lane.Do(func() { tx = n.Lane.Ports()[1].Counters().TxPackets })
		return tx
	}, g.Sent)
	if err := g.Stop(); err != nil {
		b.Fatal(err)
	}
	n.Lane.Do(func() {
		b.Logf("%+v %+v %+v", n.Lane.Counters(), n.Lane.Ports()[0].Counters(), n.Lane.Ports()[1].Counters())
	})
}

// measure reports the forwarded and the offered rate over a second.
func measure(b *testing.B, forwarded, sent func() uint64) {
	time.Sleep(200 * time.Millisecond)
	for b.Loop() {
		f, s, start := forwarded(), sent(), time.Now()
		time.Sleep(time.Second)
		d := time.Since(start).Seconds()
		b.ReportMetric(float64(forwarded()-f)/d, "pps")
		b.ReportMetric(float64(sent()-s)/d, "offered-pps")
	}
}

var (
	benchQdisc = os.Getenv("BYPASS") != ""
	benchRing  = atoi(os.Getenv("RING"))
)

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }
