package fast_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"waymark/net/netns/nstest"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/lane/lanetest/gen"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// contestant is one way from c0 to s0; setup returns the sink.
type contestant struct {
	name  string
	flows int
	row   *fasttest.Row
	gen   *fasttest.Set
	sink  *fasttest.Set
	world *world // of the fast lane
}

func flowsOf(r *fasttest.Row, n int) fasttest.Flows {
	return fasttest.Flows{Count: n, Random: n > 1024, Source: netip.MustParseAddr("10.1.0.2"), Target: netip.MustParseAddr("10.2.0.2"),
		Port: 5001, To: r.A0.MAC, From: r.C0.MAC, Out: r.C0.Index}
}

func newContestant(t testing.TB, name string, flows int) *contestant {
	c := &contestant{name: name, flows: flows, row: fasttest.NewRow(t)}
	r := c.row
	f := flowsOf(r, flows)
	c.gen = fasttest.Generator(t, f)
	c.sink = fasttest.Programs(t, nil, "sink", "tc_sink", "bare")
	xdp := name == "xdp" || name == "hash"
	if !xdp && name != "bare" { // as each hands packets on
		c.sink.TC(r.Server, r.S0.Index, "tc_sink")
	} else {
		c.sink.XDP(r.Server, r.S0.Index, "sink")
	}
	switch name {
	case "kernel":
		gen.Ethtool(t, r.Router, "a0", gen.EthtoolSGRO, 1)
		nstest.In(t, r.Router, func() error {
			return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
		})
	case "bare":
		c.sink.Redirect(r.Router, r.A1.Index)
		c.sink.XDP(r.Router, r.A0.Index, "bare")
	default:
		if !xdp {
			gen.Ethtool(t, r.Router, "a0", gen.EthtoolSGRO, 1)
		}
		c.world = c.lane(t, f, xdp)
		if name == "hash" {
			c.hash(t)
		}
	}
	return c
}

// leastSlots is the table of the cpe profile, so that few flows have it for
// themselves; many get one at a load of 60 %.
const leastSlots = 131072

// lane puts the fast lane on the router with every session of the generator.
func (c *contestant) lane(t testing.TB, f fasttest.Flows, xdp bool) *world {
	r := c.row
	w := &world{t: t, ns: r.Router}
	w.open(fast.Config{Slots: max(2*c.flows*10/6, leastSlots)})
	for i := range f.Count {
		src := f.Flow(i)
		from := packet.MakeTuple(src, netip.AddrPortFrom(f.Target, f.Port), packet.ProtoUDP)
		to := packet.MakeTuple(netip.AddrPortFrom(netip.MustParseAddr("10.2.0.1"), uint16(16386+2*(i%20000))),
			netip.MustParseAddrPort("10.2.0.2:17001"), packet.ProtoUDP)
		w.insert(from, 1, to, 1, fast.Fast|1500)
		back := to.Reverse()
		back.SrcPort = uint16(i>>14)*2 + 1
		if i >= 20000 {
			back.Dst[3] = byte(i / 20000)
		}
		if _, err := w.table.Insert(pool.Key{Tuple: back, If: 2}, pool.Action{To: from.Reverse(), Hop: 2, Flags: fast.Fast | 1500}, 1); err != nil {
			back.SrcPort += uint16(rand.Uint32N(30000))
			_, _ = w.table.Insert(pool.Key{Tuple: back, If: 2}, pool.Action{To: from.Reverse(), Hop: 2, Flags: fast.Fast | 1500}, 1)
		}
	}
	w.in(func() error {
		for _, err := range []error{
			w.lane.SetNetif(1, fast.NetifConfig{Index: r.A0.Index, MAC: r.A0.MAC, MTU: 1500, XDP: xdp}),
			w.lane.SetNetif(2, fast.NetifConfig{Index: r.A1.Index, MAC: r.A1.MAC, MTU: 1500, XDP: xdp}),
		} {
			if err != nil {
				return err
			}
		}
		w.lane.SetHop(1, r.S0.MAC, 2)
		w.lane.SetHop(2, r.C0.MAC, 1)
		if c.name == "hash" {
			return w.lane.Attach(fast.PortConfig{Index: r.A1.Index, MAC: r.A1.MAC, Untagged: 2, XDP: true})
		}
		if err := w.lane.Attach(fast.PortConfig{Index: r.A0.Index, MAC: r.A0.MAC, Untagged: 1, XDP: xdp, Filter: c.name == "filter"}); err != nil {
			return err
		}
		return w.lane.Attach(fast.PortConfig{Index: r.A1.Index, MAC: r.A1.MAC, Untagged: 2, XDP: xdp, Filter: c.name == "filter"})
	})
	return w
}

// rate sends for about d and returns the packets per second at the sink.
func (c *contestant) rate(t testing.TB, d time.Duration) float64 {
	const probe = 1 << 17
	took := c.gen.Send(c.row.Client, probe, 0)
	n := int(float64(probe) * float64(d) / float64(took))
	before := c.sink.Count(fasttest.Got)
	took = c.gen.Send(c.row.Client, n, 0)
	got := c.sink.Count(fasttest.Got) - before
	if float64(got) < 0.99*float64(n) {
		t.Logf("%s %d: %d of %d frames arrived", c.name, c.flows, got, n)
	}
	return float64(got) / took.Seconds()
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func env(name string, otherwise int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return v
	}
	return otherwise
}

// contest is what BenchmarkPPS compares; the first is the base of all ratios.
var contest = []struct {
	name  string
	flows int
}{
	{"kernel", 1024}, {"bare", 1024}, {"bare", 1 << 16}, {"bare", 1 << 20}, {"tc", 1024},
	{"xdp", 1024}, {"hash", 1024}, {"xdp", 1 << 16}, {"hash", 1 << 16},
	{"xdp", 1 << 20}, {"hash", 1 << 20},
}

// BenchmarkPPS prints packets per second and paired ratios: ROUNDS, MS, MAXFLOWS.
func BenchmarkPPS(b *testing.B) {
	var all []*contestant
	bare := map[int]int{} // by flows
	for _, s := range contest {
		if s.flows > env("MAXFLOWS", 1<<20) {
			continue
		}
		if s.name == "bare" {
			bare[s.flows] = len(all)
		}
		all = append(all, newContestant(b, s.name, s.flows))
	}
	rates := make([][]float64, len(all))
	for range env("ROUNDS", 7) {
		for i, c := range all {
			rates[i] = append(rates[i], c.rate(b, time.Duration(env("MS", 300))*time.Millisecond))
		}
	}
	for i, c := range all {
		fmt.Printf("%-7s %8d flows %6.3f Mpps %6.1f ns (best %6.1f)  / kernel %s  / bare %s\n", c.name, c.flows, median(rates[i])/1e6,
			1e9/median(rates[i]), 1e9/slices.Max(rates[i]), ratio(rates[i], rates[0]), ratio(rates[i], rates[bare[c.flows]]))
	}
}

// ratio tells the median of paired ratios and their spread.
func ratio(a, b []float64) string {
	var r []float64
	for k := range a {
		r = append(r, a[k]/b[k])
	}
	return fmt.Sprintf("%.2f [%.2f..%.2f]", median(r), slices.Min(r), slices.Max(r))
}
