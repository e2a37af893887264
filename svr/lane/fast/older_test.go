package fast_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"waymark/net/netns"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/lane/lanetest/gen"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

const (
	olderFlows  = 64
	olderFrames = 1 << 12 // the same of each flow
	nobody      = "wm_tc77"
)

// olderWorld is a lane that forwards a generator's flows and is of another layout
// when it closes.
type olderWorld struct {
	*world
	t       testing.TB
	row     *fasttest.Row
	gen     *fasttest.Set
	sink    *fasttest.Set
	flows   fasttest.Flows
	xdp     bool
	filter  bool
	devices []int
	// attached is on how many devices start puts programs.
	attached int
}

func newOlderWorld(t testing.TB, hook string) *olderWorld {
	row := fasttest.NewRow(t)
	gen.Ethtool(t, row.Router, "a0", gen.EthtoolSGRO, 1)
	w := &olderWorld{t: t, row: row, flows: flowsOf(row, olderFlows), xdp: hook == "xdp", filter: hook == "filter",
		devices: []int{row.A0.Index, row.A1.Index}, attached: 2}
	w.gen = fasttest.Generator(t, w.flows)
	w.sink = fasttest.Programs(t, nil, "tc_sink", "sink")
	if w.xdp {
		w.sink.XDP(row.Server, row.S0.Index, "sink")
	} else {
		w.sink.TC(row.Server, row.S0.Index, "tc_sink")
	}
	w.start(fast.Config{})
	w.sessions(0, olderFlows)
	return w
}

// start opens a lane and puts it on the row.
func (w *olderWorld) start(cfg fast.Config) {
	w.t.Helper()
	w.world = &world{t: w.t, ns: w.row.Router}
	cfg.Devices = w.devices
	w.open(cfg)
	w.in(func() error {
		for id, l := range []struct {
			index int
			mac   [6]byte
			hop   uint16
			peer  [6]byte
		}{1: {w.row.A0.Index, w.row.A0.MAC, 2, w.row.C0.MAC}, 2: {w.row.A1.Index, w.row.A1.MAC, 1, w.row.S0.MAC}} {
			if id == 0 || id > w.attached {
				continue
			}
			if err := w.lane.SetNetif(uint16(id), fast.NetifConfig{Index: l.index, MAC: l.mac, MTU: 1500, XDP: w.xdp}); err != nil {
				return err
			}
			w.lane.SetHop(l.hop, l.peer, uint16(id))
			if err := w.lane.Attach(fast.PortConfig{Index: l.index, MAC: l.mac, Untagged: uint16(id), XDP: w.xdp, Filter: w.filter}); err != nil {
				return err
			}
		}
		return nil
	})
}

// sessions inserts the generator's flows from..to.
func (w *olderWorld) sessions(from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		key := packet.MakeTuple(w.flows.Flow(i), netip.AddrPortFrom(w.flows.Target, w.flows.Port), packet.ProtoUDP)
		out := packet.MakeTuple(netip.AddrPortFrom(netip.MustParseAddr("10.2.0.1"), uint16(16386+2*i)),
			netip.MustParseAddrPort("10.2.0.2:17001"), packet.ProtoUDP)
		w.insert(key, 1, out, 1, fast.Fast|1500)
	}
}

// another leaves the lane as one of another layout and starts one that cannot read it.
func (w *olderWorld) another(version uint32, name string) {
	w.t.Helper()
	w.in(func() error {
		if err := w.lane.MakeForeign(version, name); err != nil {
			return err
		}
		if err := w.lane.Close(true); err != nil {
			return err
		}
		if _, err := fast.Open(fast.Config{Devices: w.devices}); !errors.Is(err, fast.ErrVersion) {
			w.t.Errorf("opened a lane of another layout: %v", err)
		}
		return nil
	})
	w.start(fast.Config{Beside: true})
}

// send sends the flows once more: all must arrive but those that are lost.
func (w *olderWorld) send(lost int) {
	w.t.Helper()
	before := w.sink.Count(fasttest.Got)
	w.gen.Send(w.row.Client, olderFrames, 0)
	if got, want := w.sink.Count(fasttest.Got)-before, uint64(olderFrames-lost); got != want {
		w.t.Errorf("%d frames arrived, want %d", got, want)
	}
}

// count compares what the lane counted since before.
func (w *olderWorld) count(before fast.Counters, own, older, punted uint64) fast.Counters {
	w.t.Helper()
	c := w.counters()
	if c.Forwarded()-before.Forwarded() != own || c.Older-before.Older != older || c.Punted()-before.Punted() != punted {
		w.t.Errorf("forwarded %d more, older %d, punted %d, want %d, %d, %d", c.Forwarded()-before.Forwarded(),
			c.Older-before.Older, c.Punted()-before.Punted(), own, older, punted)
	}
	if c.In != c.Forwarded()+c.Punted()+c.Dropped()+c.Host() {
		w.t.Errorf("counters do not add up: %+v", c)
	}
	return c
}

func (w *olderWorld) programs(want int) {
	w.t.Helper()
	w.in(func() error {
		for _, d := range w.devices {
			if n := fast.Programs(d); n != want {
				w.t.Errorf("%d programs on interface %d, want %d", n, d, want)
			}
		}
		return nil
	})
}

func (w *olderWorld) older(want int) fast.Older {
	w.t.Helper()
	o := w.lane.Older()
	if o.Lanes != want || (want > 0) != (o.Memory > 0) || (want > 0) != (o.Since > 0) {
		w.t.Errorf("%+v, want %d older lanes", o, want)
	}
	return o
}

// TestOlder: a lane of a layout that nobody knows goes on behind the new one, which
// takes its sessions over one by one as they come into its table, outlives another
// restart, and goes when it is told.
func TestOlder(t *testing.T) {
	for _, hook := range []string{"tc", "filter", "xdp"} {
		t.Run(hook, func(t *testing.T) {
			w := newOlderWorld(t, hook)
			w.send(0)
			before := w.counters()
			w.another(pool.LayoutVersion+1, nobody)
			w.programs(2)
			c := w.count(before, 0, 0, 0)
			w.send(0)
			c = w.count(c, 0, olderFrames, 0)
			w.sessions(0, olderFlows/2)
			w.send(0)
			c = w.count(c, olderFrames/2, olderFrames/2, 0)

			since := w.older(1).Since
			w.in(func() error { return w.lane.Close(true) })
			w.send(0)
			w.start(fast.Config{})
			if !w.lane.Adopted() || w.older(1).Since != since {
				t.Errorf("adopted %t, %+v, want since %d", w.lane.Adopted(), w.lane.Older(), since)
			}
			w.programs(2)
			w.send(0)
			c = w.count(c, olderFrames, olderFrames, 0)

			w.in(w.lane.EndOlder)
			w.older(0)
			w.programs(1)
			w.send(olderFrames / 2)
			c = w.count(c, olderFrames/2, 0, olderFrames/2)
			w.in(w.lane.EndOlder)
			w.in(func() error { return w.lane.Close(true) })
			w.start(fast.Config{})
			w.older(0)
			w.count(c, 0, 0, 0)
			w.in(func() error { return w.lane.Close(false) })
			w.programs(0)
		})
	}
}

// TestOlderTwice: an exchange on top of an exchange leaves both lanes, a third one does
// not; what nobody knows comes through all of them.
func TestOlderTwice(t *testing.T) {
	w := newOlderWorld(t, "tc")
	w.another(pool.LayoutVersion+1, nobody)
	w.sessions(0, olderFlows/2)
	w.send(0)
	w.another(pool.LayoutVersion+2, nobody)
	w.programs(3)
	w.older(2)
	c := w.counters()
	w.send(0)
	c = w.count(c, 0, olderFrames, 0)
	if c.PassedOn < olderFrames {
		t.Errorf("%d packets passed on", c.PassedOn)
	}
	w.in(func() error {
		if err := w.lane.MakeForeign(pool.LayoutVersion+3, nobody); err != nil {
			return err
		}
		return w.lane.Close(true)
	})
	cfg := fast.Config{Devices: w.devices, Beside: true}
	if err := netns.Do(w.ns, func() error { _, err := fast.Open(cfg); return err }); !errors.Is(err, fast.ErrVersion) {
		t.Errorf("a fourth lane: %v, want ErrVersion", err)
	}
	w.in(func() error { return fast.Clear(cfg) })
	w.programs(0)
}

// TestOlderHalf: a router that is killed when it has put its programs on one of two
// devices leaves lanes that its successor tells apart.
func TestOlderHalf(t *testing.T) {
	for _, hook := range []string{"tc", "filter", "xdp"} {
		w := newOlderWorld(t, hook)
		w.attached = 1
		w.another(pool.LayoutVersion+1, nobody)
		w.send(0)
		w.in(func() error { return w.lane.Close(true) })
		w.attached = 2
		w.start(fast.Config{})
		if !w.lane.Adopted() {
			t.Errorf("%s: the newer lane was not adopted", hook)
		}
		w.older(1)
		w.programs(2)
		w.send(0)
		w.in(w.lane.EndOlder)
		w.programs(1)
	}
}

// TestOlderPunts: packets that no lane has a session for come to Go as ever, by the
// program at the end of the row; those for the host pass all of them.
func TestOlderPunts(t *testing.T) {
	w := newOlderWorld(t, "tc")
	w.in(func() error { return w.lane.SetOwn(netip.MustParseAddr("10.1.0.1"), fast.Own{}) })
	w.another(pool.LayoutVersion+1, nobody)
	w.in(func() error { return w.lane.SetOwn(netip.MustParseAddr("10.1.0.1"), fast.Own{}) })
	r := &relay{w: w.world}
	r.start(t, w.row)
	fasttest.Run(t, w.row.Client, "ping -c 1 -W 5 10.1.0.1") // ARP is the host's, too
	flows := w.flows
	flows.Port++
	other := fasttest.Generator(t, flows)
	other.Send(w.row.Client, olderFlows, 0)
	tick, patience := time.NewTicker(10*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for r.count(fast.PuntMiss) < olderFlows {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("%d packets of unknown flows were punted, want %d", r.count(fast.PuntMiss), olderFlows)
		}
	}
	if c := w.counters(); c.PassedOn != olderFlows || c.Older != 0 || c.Reason[fast.HostOwn] == 0 {
		t.Errorf("%+v", c)
	}
}

// BenchmarkOlder prints packets per second of one router, TC, and the paired ratios to a
// lane alone: of hits of a lane with an older one behind it, and of what that one
// forwards. ROUNDS of MS milliseconds each.
func BenchmarkOlder(b *testing.B) {
	names := []string{"alone", "hit", "older"}
	var worlds []*olderWorld
	for _, name := range names {
		w := newOlderWorld(b, "tc")
		if name != "alone" {
			w.another(pool.LayoutVersion+1, nobody)
		}
		if name == "hit" {
			w.sessions(0, olderFlows)
		}
		worlds = append(worlds, w)
	}
	rates := make([][]float64, len(names))
	for range env("ROUNDS", 7) {
		for i, w := range worlds {
			c := contestant{name: names[i], flows: olderFlows, row: w.row, gen: w.gen, sink: w.sink}
			rates[i] = append(rates[i], c.rate(b, time.Duration(env("MS", 1000))*time.Millisecond))
		}
	}
	for i, name := range names {
		var ratios []float64
		for k := range rates[i] {
			ratios = append(ratios, rates[i][k]/rates[0][k])
		}
		b.Logf("%-6s %8.0f pps, ratio %.3f (%.3f to %.3f)", name, median(rates[i]), median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
}
