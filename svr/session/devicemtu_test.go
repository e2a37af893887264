package session_test

import (
	"testing"

	"waymark/svr/packet"
)

// TestDeviceMTUChanges: an interface gets another MTU while sessions leave by
// it; what does not fit any more is told to the host, and passes again later.
func TestDeviceMTUChanges(t *testing.T) {
	s, branch, _ := breakout(t)
	flow := tuple(packet.ProtoUDP, "192.168.1.77:5000", "8.8.8.8:4000")
	fiber, client := branch.ifc("fiber"), s.host("192.168.1.77")
	small, whole := udp(flow, []byte("x")), udp(flow, make([]byte, 1472))
	out := branch.out(small)
	if len(out) != 1 {
		t.Fatalf("nothing left\n%s", branch.explain())
	}
	branch.back("fiber", udp(out[0].T.Reverse(), []byte("y")), "192.168.1.77")
	for _, row := range []struct {
		mtu  int
		pass bool
	}{{1500, true}, {1400, false}, {1300, false}, {1500, true}} {
		client.got = nil
		branch.e.SetInterface(fiber, true, row.mtu, nil)
		if got := len(branch.out(whole)); (got == 1) != row.pass {
			t.Errorf("MTU %d: %d packets left\n%s", row.mtu, got, branch.explain())
		}
		if row.pass {
			continue
		}
		if len(client.got) != 1 {
			t.Fatalf("MTU %d: %d answers, want 1\n%s", row.mtu, len(client.got), branch.explain())
		}
		checkError(t, &client.got[0], "192.168.1.1", 3, 4, row.mtu, whole)
		if got := len(branch.out(udp(flow, make([]byte, row.mtu-28)))); got != 1 {
			t.Errorf("MTU %d: what fits did not leave\n%s", row.mtu, branch.explain())
		}
	}
}
