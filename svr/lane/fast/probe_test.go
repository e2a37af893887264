package fast_test

import (
	"net/netip"
	"testing"
	"time"

	"waymark/net/netns/nstest"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/lane/lanetest/gen"
)

// TestTakesXDP: a veth takes XDP frames when its peer has GRO, and not before.
func TestTakesXDP(t *testing.T) {
	row := fasttest.NewRow(t)
	for _, gro := range []bool{false, true} {
		value, wait := uint32(0), 300*time.Millisecond
		if gro { // on a busy machine an answer may take its time
			value, wait = 1, 20*time.Second
		}
		gen.Ethtool(t, row.Server, "s0", gen.EthtoolSGRO, value)
		for own, hop := range map[string]string{"10.2.0.1": "10.2.0.2", "fd02::1": "fd02::2"} {
			nstest.In(t, row.Router, func() error {
				got, err := fast.TakesXDP(row.A1.Index, row.A1.MAC, netip.MustParseAddr(own), netip.MustParseAddr(hop), wait)
				if got != gro {
					t.Errorf("to %s with GRO %v: %v", hop, gro, got)
				}
				return err
			})
		}
	}
}
