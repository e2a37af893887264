package fast_test

import (
	"net"
	"testing"

	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
)

// TestNoXDPHere: a device that takes no XDP program, of which the TC program was told
// already, has that one alone, and it is exchanged as any other.
func TestNoXDPHere(t *testing.T) {
	w := newWorld(t, fast.Config{})
	fasttest.Run(t, w.ns, "ip link add d0 type bridge")
	w.in(func() error {
		dev, err := net.InterfaceByName("d0")
		if err != nil {
			return err
		}
		c := fast.PortConfig{Index: dev.Index, MAC: [6]byte(dev.HardwareAddr), Untagged: 1}
		if err := w.lane.Attach(c); err != nil {
			return err
		}
		c.XDP = true
		if err := w.lane.Attach(c); err == nil {
			t.Error("a bridge takes XDP programs")
		}
		c.XDP = false
		for range 2 {
			if err := w.lane.Attach(c); err != nil {
				return err
			}
			if n := len(fast.AtIngress(dev.Index)); n != 1 {
				t.Errorf("%d programs at the ingress", n)
			}
		}
		if err := w.lane.Detach(dev.Index); err != nil {
			return err
		}
		if n := len(fast.AtIngress(dev.Index)); n != 0 {
			t.Errorf("%d programs are left", n)
		}
		return nil
	})
}
