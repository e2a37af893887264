package lane_test

import (
	"testing"

	"waymark/svr/lane"
	"waymark/svr/lane/lanetest"
	"waymark/svr/lane/lanetest/gen"
)

// The first packet of all finds its next-hop unresolved: it is kept and sent.
func TestFirstPacketArrives(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	n.Start(t, nil)
	ping(t, n.Client, "10.2.0.2", 3)
	ping(t, n.Client, "fd02::2", 3)
	l, _, _ := counters(t, n)
	if l.HopDropped != 0 || l.NoHop != 0 {
		t.Errorf("got %+v, want no packet dropped for its next-hop", l)
	}
}

// TCP in both families and directions, with every combination of offloads that
// hosts and ports can have; not a byte may differ.
func TestTransfer(t *testing.T) {
	off := func(p *lane.PortConfig) { p.NoOffload = lane.OffloadAll }
	merge := func(p *lane.PortConfig) { p.Interfaces[0].Coalesce = true }
	for _, tt := range []struct {
		name   string
		change func(l, r *lane.PortConfig)
		tso    bool // the client sends super-packets
		check  func(left, right lane.PortCounters) bool
	}{
		{"super-packets", nil, true, func(l, r lane.PortCounters) bool {
			return r.TxBytes/r.TxPackets > 3000 && r.TxSegmented == 0
		}},
		{"cut in software", func(l, r *lane.PortConfig) { off(l); off(r) }, true, func(l, r lane.PortCounters) bool {
			return r.TxSegmented > 0 && r.TxErrors == 0
		}},
		{"single packets", nil, false, func(l, r lane.PortCounters) bool {
			return r.TxBytes/r.TxPackets <= 1500
		}},
		{"merged", func(l, r *lane.PortConfig) { merge(r) }, false, func(l, r lane.PortCounters) bool {
			return r.TxCoalesced > 0 && r.TxErrors == 0
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := lanetest.NewNet(t)
			guardRouter(t, n)
			if !tt.tso {
				gen.Ethtool(t, n.Client, lanetest.ClientIf, gen.EthtoolSTSO, 0)
				gen.Ethtool(t, n.Client, lanetest.ClientIf, gen.EthtoolSGSO, 0)
			}
			n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) {
				if tt.change != nil {
					tt.change(l, r)
				}
			})
			up := []string{"10.2.0.2", "fd02::2"}
			for _, host := range up {
				transfer(t, n.Client, n.Server, host, 24<<20, 1<<16)
			}
			if _, l, r := counters(t, n); !tt.check(l, r) {
				t.Errorf("counters: left %+v, right %+v", l, r)
			}
			for _, host := range up { // as many packets as the host finds time for
				transfer(t, n.Client, n.Server, host, 20_000, 1)
			}
			for _, host := range []string{"10.1.0.2", "fd01::2"} {
				transfer(t, n.Server, n.Client, host, 8<<20, 1<<16)
			}
		})
	}
}

// A host's checksum that is wrong must stay wrong: neither merging nor cutting
// may repair it. The corrupted segments are resent, the data arrives.
func TestWrongChecksumIsNotRepaired(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	gen.Ethtool(t, n.Client, lanetest.ClientIf, gen.EthtoolSTX, 0) // software checksums
	n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) { r.Interfaces[0].Coalesce = true })
	n.Damage(t, 50)
	transfer(t, n.Client, n.Server, "10.2.0.2", 4<<20, 1<<16)
	if n.Damaged.Load() == 0 {
		t.Error("nothing was damaged: the test tests nothing")
	}
}
